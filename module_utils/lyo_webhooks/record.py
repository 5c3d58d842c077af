"""What is kept in the state bucket: what was registered before a run, and what the last one registered.

Objects below ``webhooks/``, encrypted with KMS; the bucket is versioned. They hold ids and URLs, never
a token: Meta does not show verify tokens, and of our own only a keyed mark is kept.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from .state import AppFound, Found, app_from_record, as_record, found_from

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})
LAST = "last"

Rows = list[tuple[int, dict[str, Any]]]


class RecordError(Exception):
    """A record that does not exist, or is none."""


@dataclass
class Kept:
    """The registration at one moment.

    :ivar at: ISO 8601, UTC.
    :ivar accounts: id of the account by tenant.
    :ivar found: what was read of each account, by tenant.
    """

    at: str
    app_id: str
    graph_version: str
    app: AppFound
    accounts: dict[str, str] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The object's body."""
        content = {
            "at": self.at,
            "app_id": self.app_id,
            "graph_version": self.graph_version,
            "app": as_record(self.app),
            "tenants": {
                name: {"waba_id": self.accounts[name], **as_record(found)}
                for name, found in sorted(self.found.items())
            },
        }
        return json.dumps(content, sort_keys=True).encode()


def kept_from(body: bytes) -> Kept:
    """Return what :meth:`Kept.to_json` made.

    :raises RecordError: it is not such.
    """
    try:
        content = json.loads(body)
        tenants = content["tenants"]
        return Kept(
            str(content["at"]),
            str(content["app_id"]),
            str(content["graph_version"]),
            app_from_record(content["app"]),
            {name: str(entry["waba_id"]) for name, entry in tenants.items()},
            {name: found_from(entry) for name, entry in tenants.items()},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"not a kept registration: {type(error).__name__} {error}") from None


@dataclass
class Registered:
    """What the runs until now have registered.

    :ivar marks: mark of the verify token that each tenant was registered with; the app's is under "".
    :ivar complete: the last run left every tenant as wanted.
    :ivar confirmed: tenants that the last run, if it was not complete, had left as wanted.
    :ivar restored: record that was brought back since, empty where none was.
    :ivar restoring: bringing it back has not come to its end.
    """

    url: str = ""
    graph_version: str = ""
    token_version: str = ""
    at: str = ""
    complete: bool = False
    marks: dict[str, str] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)
    restored: str = ""
    restoring: bool = False

    def aims_at(self, url: str, graph_version: str, token_version: str) -> bool:
        """Whether a registration was for the same as another."""
        return (self.url, self.graph_version, self.token_version) == (
            url,
            graph_version,
            token_version,
        )


class Store:
    """The records of one environment.

    :param prefix: folder in the state bucket, with its slash.
    :param kms_key: key of the objects, by default the account's key for S3.
    """

    def __init__(self, aws: Aws, bucket: str, prefix: str, kms_key: str | None = None) -> None:
        self.aws, self.bucket, self.prefix, self._kms_key = aws, bucket, prefix, kms_key

    @property
    def registered_key(self) -> str:
        """Key of what the last run has registered."""
        return f"{self.prefix}registered.json"

    def keep(self, kept: Kept, *, goes_on: bool) -> str:
        """Keep what was found before a run writes; return its key.

        :param goes_on: the run goes on with a change that another has begun. What was found before
            that began counts; this run adds the tenants that could not be read then.
        """
        if goes_on:
            with contextlib.suppress(RecordError):
                begun = self.kept(LAST)
                kept = replace(
                    begun,
                    at=kept.at,
                    accounts={**kept.accounts, **begun.accounts},
                    found={**kept.found, **begun.found},
                )
        name = kept.at.replace(":", "").replace("+0000", "Z")
        key = f"{self.prefix}before/{kept.at[:7]}/{name}.json"
        self._put(key, kept.to_json())
        self._put(f"{self.prefix}before/{LAST}", key.encode())
        return key

    def key_of(self, name: str) -> str:
        """Return the key of a record by its name, ``last`` is what was before the last run that wrote.

        :raises RecordError: nothing was kept yet.
        """
        if name != LAST:
            return name if name.startswith(self.prefix) else f"{self.prefix}before/{name}"
        pointer = self._get(f"{self.prefix}before/{LAST}")
        if pointer is None:
            raise RecordError("nothing was kept yet: no run has written anything")
        return pointer.decode()

    def kept(self, name: str) -> Kept:
        """Return what was kept under a name (:meth:`key_of`).

        :raises RecordError: there is no such record.
        """
        key = self.key_of(name)
        body = self._get(key)
        if body is None:
            raise RecordError(
                f"there is no record {key} in {self.bucket}: "
                f"aws s3 ls --recursive s3://{self.bucket}/{self.prefix}before/ lists them"
            )
        return kept_from(body)

    def keep_tenants(self, rows: Rows) -> None:
        """Keep a list of tenants that a task had to be run for, so that check mode has one."""
        self._put(f"{self.prefix}tenants-last.json", json.dumps(rows).encode())

    def tenants(self) -> Rows | None:
        """Return the list of the last run that wrote, None without one."""
        body = self._get(f"{self.prefix}tenants-last.json")
        return None if body is None else [(int(line), row) for line, row in json.loads(body)]

    def registered(self) -> Registered | None:
        """Return what the last run has registered, None where there is no record of it."""
        body = self._get(self.registered_key)
        return None if body is None else registered_from(body)

    def register(self, registered: Registered) -> None:
        """Note what has been registered."""
        self._put(self.registered_key, json.dumps(asdict(registered), sort_keys=True).encode())

    def _get(self, key: str) -> bytes | None:
        try:
            body = self.aws.call("s3", "get_object", Bucket=self.bucket, Key=key)["Body"].read()
        except AwsFailure as failure:
            if failure.code in _MISSING:
                return None
            raise
        return bytes(body)

    def _put(self, key: str, body: bytes) -> None:
        named = {"SSEKMSKeyId": self._kms_key} if self._kms_key else {}
        self.aws.call(
            "s3",
            "put_object",
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
            ServerSideEncryption="aws:kms",
            **named,
        )


def registered_from(body: bytes) -> Registered | None:
    """Return what a run has registered, None for what is no such note."""
    try:
        content = json.loads(body)
        known = {key: content[key] for key in content if key in Registered.__annotations__}
        return Registered(**known)
    except (ValueError, TypeError):
        return None


def why_register(
    registered: Registered | None, url: str, graph_version: str, token_version: str
) -> str:
    """Return why a deploy has to register, empty where the last registration still counts."""
    if registered is None:
        return "nothing was registered yet"
    if not registered.complete and not registered.restored:
        return "the last registration is not complete"
    differences: Mapping[str, tuple[str, str]] = {
        "URL": (registered.url, url),
        "version of the Graph API": (registered.graph_version, graph_version),
        "version of the verify token": (registered.token_version, token_version),
    }
    changed = [
        f"{name} was {was}, is {now}" for name, (was, now) in differences.items() if was != now
    ]
    return "; ".join(changed)


def now() -> str:
    """The present moment as records hold it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
