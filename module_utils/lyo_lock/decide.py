"""Whether a run may begin, has to wait, or is told who holds the lock: decisions without I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .record import Lock

TAKE = "take"
WAIT = "wait"
REFUSE = "refuse"


@dataclass(frozen=True)
class Found:
    """The lock as it was read.

    :ivar lock: None where there has never been one.
    :ivar etag: the object's, empty without one.
    :ivar age: seconds since it was last written, by the clock of S3, not of this machine.
    """

    lock: Lock | None
    etag: str = ""
    age: float = 0.0


def first_step(found: Found, waited: float, patience: float, take_over: int) -> tuple[str, str]:
    """Return what to do about the lock, and why.

    :param waited: seconds that were waited already.
    :param patience: seconds to wait for another's run at most.
    :param take_over: token of the holder that somebody has declared dead; 0 for none. Another
        holder than the one that was seen is not taken over.
    """
    lock = found.lock
    if lock is None or not lock.held:
        return TAKE, ""
    if take_over:
        if take_over == lock.token:
            return TAKE, f"taken over by hand from {holder(lock)}"
        return REFUSE, (
            f"take_over={take_over} names another lock than the one that is held now: "
            f"{sentence(found)}"
        )
    if not lock.by_hand and found.age > lock.lease_seconds:
        return TAKE, (
            f"taken over from {holder(lock)}: its lease ran out "
            f"{found.age - lock.lease_seconds:.0f} s ago"
        )
    if lock.by_hand or waited >= patience:
        return REFUSE, sentence(found)
    return WAIT, f"waiting for {holder(lock)} ({lock.command})"


def next_lock(found: Found, wanted: Lock) -> Lock:
    """Return ``wanted`` with the token that follows the last holder's."""
    return replace(wanted, token=(found.lock.token if found.lock else 0) + 1)


def holder(lock: Lock) -> str:
    """Who holds it, for people."""
    return f"{lock.owner}@{lock.host}" if lock.host else lock.owner


def sentence(found: Found) -> str:
    """Who holds the lock, since when, why, and what can be done about it."""
    lock = found.lock
    assert lock is not None
    why = f" ({lock.message})" if lock.message else ""
    begun = f"the environment is locked by {holder(lock)} since {lock.acquired_at}"
    if lock.by_hand:
        return f"{begun}, by hand{why}. To open it: unlock.yml with -e token={lock.token}"
    return (
        f"{begun}: {lock.command}{why}; its run gave a sign of life {found.age:.0f} s ago. Wait for "
        f"it (-e lock_wait=<seconds>); or, where that run is certainly gone, stop its writes and take "
        f"over with -e take_over={lock.token}"
    )
