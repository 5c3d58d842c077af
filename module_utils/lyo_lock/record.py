"""What the lock says: a small JSON object in the state bucket, and its token in the object's metadata.

The token grows with every holder and never goes back: whoever writes compares it first, so that a
run that was stalled while another took over is refused (a fencing token). It stands in the metadata
too, so that a comparison costs one HeadObject.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

HELD = "held"
FREE = "free"


@dataclass(frozen=True)
class Lock:
    """Who holds an environment, or who held it last.

    :ivar state: ``held`` or ``free``.
    :ivar token: number of the holder, one more than the one before.
    :ivar run: id of the holder's run, empty for a lock set by hand.
    :ivar owner: who started it.
    :ivar host: machine it runs on.
    :ivar command: what was typed.
    :ivar message: why, in a person's words.
    :ivar acquired_at: ISO 8601, UTC.
    :ivar lease_seconds: how long the lock counts after its last renewal; 0 for one set by hand,
        which counts until it is taken away by hand.
    """

    state: str
    token: int
    run: str = ""
    owner: str = ""
    host: str = ""
    command: str = ""
    message: str = ""
    acquired_at: str = ""
    lease_seconds: int = 0

    @property
    def held(self) -> bool:
        """Whether somebody holds it, dead or alive."""
        return self.state == HELD

    @property
    def by_hand(self) -> bool:
        """Whether it was set by hand."""
        return self.held and self.lease_seconds == 0

    def freed(self) -> Lock:
        """The lock after its holder has let go; the token stays, so that the next is higher."""
        return replace(self, state=FREE)

    def to_json(self) -> bytes:
        """The object's body."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    def metadata(self) -> dict[str, str]:
        """The object's metadata, which :meth:`Aws.check_fence` compares."""
        return {"lyo-token": str(self.token), "lyo-state": self.state}


def parse(body: bytes) -> Lock:
    """Return the lock from the object's body.

    :raises ValueError: it is not a lock.
    """
    try:
        content = json.loads(body)
        lock = Lock(**{name: content[name] for name in content if name in Lock.__annotations__})
    except (ValueError, TypeError) as error:
        raise ValueError(f"not a lock: {error}") from None
    if lock.state not in (HELD, FREE) or not isinstance(lock.token, int) or lock.token < 1:
        raise ValueError(f"not a lock: state {lock.state!r}, token {lock.token!r}")
    return lock
