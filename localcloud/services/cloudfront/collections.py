"""CloudFront's smaller resources: configurations under an id, with an ETag against lost updates."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call


def new_id(length: int = 14) -> str:
    """An identifier as CloudFront's: E and upper case letters and digits."""
    alphabet = string.ascii_uppercase + string.digits
    return "E" + "".join(secrets.choice(alphabet) for _ in range(length - 1))


@dataclass
class Entry:
    """One stored configuration."""

    id: str
    config: dict[str, Any]
    etag: str = field(default_factory=lambda: new_id(13))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    managed: bool = False

    def update(self, config: dict[str, Any]) -> None:
        """Take a new configuration, with a new ETag."""
        self.config, self.etag, self.modified = config, new_id(13), datetime.now(UTC)


class Collection:
    """Create, get, update, delete and list of one kind of configuration.

    kind: its name in the API, `CachePolicy` for example, from which the members' names follow.
    missing, exists: error codes. timed: whether answers have LastModifiedTime. check: refuses a
    configuration that is not reproduced. used: gives the identifiers that are in use.
    """

    def __init__(
        self,
        kind: str,
        missing: str,
        exists: str,
        *,
        plural: str,
        timed: bool = True,
        managed: Mapping[str, dict[str, Any]] | None = None,
        check: Callable[[dict[str, Any]], None] | None = None,
        used: Callable[[], Container[str]] = frozenset,
    ) -> None:
        self.kind, self.missing, self.exists, self.plural = kind, missing, exists, plural
        self._timed, self._check, self._used = timed, check, used
        self._entries = {
            key: Entry(key, config, managed=True) for key, config in (managed or {}).items()
        }

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def entry(self, key: str) -> Entry:
        """An entry; raises the kind's own AwsError when there is none."""
        if key not in self._entries:
            raise AwsError(self.missing, f"The {self.kind} {key} does not exist.", status=404)
        return self._entries[key]

    def _answer(self, entry: Entry) -> dict[str, Any]:
        body: dict[str, Any] = {"Id": entry.id, f"{self.kind}Config": entry.config}
        if self._timed:
            body["LastModifiedTime"] = entry.modified
        return {self.kind: body, "ETag": entry.etag}

    def _config(self, call: Call) -> dict[str, Any]:
        config: dict[str, Any] = call.params[f"{self.kind}Config"]
        if self._check is not None:
            self._check(config)
        return config

    def _changeable(self, call: Call) -> Entry:
        """An entry of our own that was read before; AWS's managed ones cannot be changed."""
        entry = self.entry(call.params["Id"])
        if entry.managed:
            raise AwsError(
                "IllegalUpdate" if "Update" in call.operation else "IllegalDelete",
                f"The {self.kind} {entry.id} is managed by AWS.",
            )
        check_etag(call, entry.etag)
        return entry

    def create(self, call: Call) -> dict[str, Any]:
        """Create from `<Kind>Config`; its Name is unique."""
        config = self._config(call)
        if any(entry.config.get("Name") == config.get("Name") for entry in self):
            raise AwsError(
                self.exists, f"A {self.kind} named {config.get('Name')} exists.", status=409
            )
        entry = Entry(new_id(), config)
        self._entries[entry.id] = entry
        return self._answer(entry) | {"Location": f"/2020-05-31/{self.kind}/{entry.id}"}

    def get(self, call: Call) -> dict[str, Any]:
        """The whole resource."""
        return self._answer(self.entry(call.params["Id"]))

    def get_config(self, call: Call) -> dict[str, Any]:
        """The configuration alone."""
        entry = self.entry(call.params["Id"])
        return {f"{self.kind}Config": entry.config, "ETag": entry.etag}

    def update(self, call: Call) -> dict[str, Any]:
        """Replace the configuration when IfMatch is the present ETag."""
        entry = self._changeable(call)
        entry.update(self._config(call))
        return self._answer(entry)

    def delete(self, call: Call) -> dict[str, Any]:
        """Delete when IfMatch is the present ETag and no distribution uses it."""
        entry = self._changeable(call)
        if entry.id in self._used():
            raise AwsError(
                f"{self.kind}InUse",
                f"Cannot delete the {self.kind} because it is attached to a distribution.",
                status=409,
            )
        del self._entries[entry.id]
        return {}

    def list(self, call: Call) -> dict[str, Any]:
        """All of them in one page; `Type` chooses managed or custom ones."""
        kind = call.params.get("Type")
        items = [
            {
                "Type": "managed" if entry.managed else "custom",
                self.kind: self._answer(entry)[self.kind],
            }
            for entry in self
            if kind is None or entry.managed == (kind == "managed")
        ]
        return {f"{self.kind}List": {"MaxItems": 100, "Quantity": len(items), "Items": items}}


def check_etag(call: Call, etag: str) -> None:
    """Refuse a change that was made from an older state.

    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateDistribution.html
    """
    given = call.params.get("IfMatch")
    if not given:
        raise AwsError("InvalidIfMatchVersion", "The If-Match version is missing.", status=400)
    if given != etag:
        raise AwsError(
            "PreconditionFailed",
            "The precondition in one or more of the headers failed.",
            status=412,
        )
