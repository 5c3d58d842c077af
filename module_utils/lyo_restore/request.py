"""What a restore was asked for, and what it comes to with the backups that there are. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SNAPSHOT, TIME, LOGICAL = "snapshot", "time", "logical"
SOURCES = (SNAPSHOT, TIME, LOGICAL)
LATEST = "latest"
# Verdict of a logical backup that was restored and compared.
VERIFIED = "VERIFIED"
# Of a database that lives, the newest point moves on: what was restored for it may be looked at so long.
STALE = timedelta(hours=1)
FORM = "%Y-%m-%dT%H:%M:%SZ"


class RequestError(Exception):
    """The request cannot be carried out; nothing was changed, and the message says what to type."""


@dataclass(frozen=True)
class Request:
    """A restore that somebody wants.

    :ivar source: ``snapshot``, ``time`` or ``logical``.
    :ivar wanted: name of the snapshot, time in UTC, id of the backup; or ``latest``.
    """

    source: str
    wanted: str

    @property
    def key(self) -> str:
        """The same for the same request, so that a repeated run finds what the first has made."""
        text = json.dumps([self.source, self.wanted])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def words(self) -> str:
        """The request for people."""
        how = {SNAPSHOT: "from the snapshot", TIME: "to the time", LOGICAL: "from the backup"}
        return f"{how[self.source]} {self.wanted}"


def asked(source: str, wanted: Mapping[str, str], env: str) -> Request:
    """Return the request in what was typed.

    :param source: ``-e from=``.
    :param wanted: ``snapshot``, ``time`` and ``backup``, as far as they were typed.
    :raises RequestError: it is not complete, contradicts itself, or names no time.
    """
    command = f"ansible-playbook restore.yml -e env={env}"
    mine = {SNAPSHOT: "snapshot", TIME: "time", LOGICAL: "backup"}
    if source not in mine:
        raise RequestError(
            f"say what to restore from: {command} -e from=time -e time=<2026-11-27T10:15:00Z|latest>, "
            "-e from=snapshot -e snapshot=<name|latest>, or -e from=logical -e backup=<id|latest>"
        )
    others = sorted(name for name, value in wanted.items() if value and name != mine[source])
    if others:
        raise RequestError(
            f"from={source} takes {mine[source]}=, not {', '.join(others)}=. Leave it out"
        )
    value = wanted.get(mine[source]) or ""
    if not value:
        raise RequestError(f"say which: {command} -e from={source} -e {mine[source]}=<…|latest>")
    if source == TIME and value != LATEST:
        value = written(moment(value))
    return Request(source, value)


def moment(text: str) -> datetime:
    """Return a time in UTC, whole seconds.

    :raises RequestError: it is none, or has no zone.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            f"{text!r} is no time. Write it in UTC, as time=2026-11-27T10:15:00Z"
        ) from None
    if found.tzinfo is None:
        raise RequestError(f"{text!r} has no zone. Write it in UTC, as time={text}Z")
    return found.astimezone(UTC).replace(microsecond=0)


def written(at: datetime) -> str:
    """Return a time as it is typed; botocore's times are in this machine's zone."""
    return at.astimezone(UTC).strftime(FORM)


@dataclass(frozen=True)
class Point:
    """What to restore from, exactly.

    :ivar snapshot: name of the snapshot; empty for a time.
    :ivar time: the point in time; of a snapshot, when it was taken.
    :ivar resource_id: of the instance whose automated backups reach that time; empty for a snapshot.
    :ivar latest: the newest that those backups reach.
    :ivar backup: id of the logical backup, empty for what RDS restores by itself.
    """

    snapshot: str
    time: datetime
    resource_id: str = ""
    latest: bool = False
    backup: str = ""

    @property
    def words(self) -> str:
        """The point for people."""
        at = written(self.time)
        if self.backup:
            return f"backup {self.backup}"
        return f"snapshot {self.snapshot} of {at}" if self.snapshot else at


def to_time(
    request: Request,
    backups: Sequence[Mapping[str, Any]],
    serving: str,
    switched: datetime | None,
    now: datetime,
) -> Point:
    """Return the point that automated backups reach: the serving instance's, then the former ones'.

    :param backups: DescribeDBInstanceAutomatedBackups of the environment, retained ones too.
    :param serving: identifier of the instance that serves, or served until it was lost.
    :param switched: since when it does, None where no restore has been; what a former one's backups have
        after that nobody wrote, nor what the serving one's have before.
    :raises RequestError: none reaches it; the message has what can be reached.
    """
    windows = []
    for backup in backups:
        window = backup.get("RestoreWindow") or {}
        first, last = window.get("EarliestTime"), window.get("LatestTime")
        mine = backup["DBInstanceIdentifier"] == serving
        if not mine and switched is None:
            continue  # it never served
        if first and last and switched is not None:
            if mine:
                first = min(max(first, switched), last)
            else:
                last = min(last, switched)
        if first and last and first <= last:
            windows.append((mine, last, first, str(backup["DbiResourceId"])))
    windows.sort(reverse=True)
    if not windows:
        raise RequestError(
            f"there are no automated backups of {serving}, or the first is not complete: "
            "restore from a snapshot, -e from=snapshot -e snapshot=latest"
        )
    if request.wanted == LATEST:
        mine, last, _, resource = windows[0]
        if not mine:
            raise RequestError(
                f"the automated backups of {serving} are gone: -e from=snapshot -e snapshot=latest. Those of a "
                f"former instance go to {written(last)}, and would have to be named: -e time={written(last)}"
            )
        return Point("", last, resource, latest=True)
    wanted = moment(request.wanted)
    if wanted > now:
        raise RequestError(f"{request.wanted} has not come yet; it is {written(now)}")
    for _, last, first, resource in windows:
        if first <= wanted <= last:
            return Point("", wanted, resource)
    reached = " and from ".join(f"{written(w[2])} to {written(w[1])}" for w in windows)
    newer = wanted > max(window[1] for window in windows)
    more = ". RDS archives the log every five minutes: wait, or say time=latest" if newer else ""
    raise RequestError(
        f"{request.wanted} cannot be reached: the backups of {serving} go from {reached}{more}"
    )


def outdated(request: Request, told: str, point: Point) -> bool:
    """Return whether what an earlier run has restored for ``latest`` is no longer the newest by far.

    :param told: what that run has restored, as :attr:`Point.words`.
    :param point: the newest that there is now.
    """
    if request.wanted != LATEST:
        return False
    if request.source != TIME:
        return told != point.words
    try:
        return moment(told) < point.time - STALE
    except RequestError:
        return True


def from_snapshot(request: Request, snapshots: Sequence[Mapping[str, Any]], serving: str) -> Point:
    """Return the snapshot that was asked for; the latest is one of the instance that serves.

    The last snapshot of a former instance that is released is newer than the switch, and has nothing of what
    was written since.

    :param snapshots: DescribeDBSnapshots of the environment.
    :param serving: identifier of the instance that serves, or served until it was lost.
    :raises RequestError: there is none such, or it is not complete.
    """
    good = [one for one in snapshots if one.get("Status") == "available"]
    good.sort(key=_taken)
    if request.wanted == LATEST:
        mine = [one for one in good if one.get("DBInstanceIdentifier") == serving]
        if not mine:
            raise RequestError(
                f"there is no snapshot of {serving}: restore a logical backup, -e from=logical -e backup=latest"
                + (f"; of former instances, by their names: {_newest(good)}" if good else "")
            )
        return Point(str(mine[-1]["DBSnapshotIdentifier"]), _taken(mine[-1]))
    for one in snapshots:
        if one.get("DBSnapshotIdentifier") == request.wanted:
            if one not in good:
                raise RequestError(
                    f"the snapshot {request.wanted} is {one.get('Status')}, not available: wait for it"
                )
            return Point(request.wanted, _taken(one))
    raise RequestError(
        f"there is no snapshot {request.wanted} of this environment; the newest are {_newest(good) or 'none'}"
    )


def _newest(snapshots: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(one["DBSnapshotIdentifier"]) for one in reversed(snapshots[-5:]))


def from_backup(request: Request, backups: Sequence[Any]) -> Point:
    """Return the logical backup that was asked for; the newest only where it was verified.

    :param backups: lyo_backup.catalogue.Logical, oldest first.
    :raises RequestError: there is none such, it is not complete, or it is damaged.
    """
    if request.wanted == LATEST:
        good = [one for one in backups if one.complete and one.verdict == VERIFIED]
        if good:
            return Point("", good[-1].at, backup=good[-1].id)
        whole = [one.id for one in backups if one.complete and not one.verdict]
        raise RequestError(
            "there is no verified logical backup"
            + (f"; the newest unverified one, by its name: -e backup={whole[-1]}" if whole else "")
        )
    for one in backups:
        if one.id == request.wanted:
            if not one.complete:
                raise RequestError(f"the backup {one.id} has no manifest: it was never completed")
            if one.verdict not in (VERIFIED, ""):
                why = "; ".join(one.reasons) or "its verdict says so"
                raise RequestError(f"the backup {one.id} is damaged: {why}")
            return Point("", one.at, backup=one.id)
    newest = ", ".join(one.id for one in reversed(backups[-5:])) or "none"
    raise RequestError(f"there is no backup {request.wanted}; the newest are {newest}")


def _taken(snapshot: Mapping[str, Any]) -> datetime:
    found = snapshot.get("SnapshotCreateTime") or snapshot.get("OriginalSnapshotCreateTime")
    return found if isinstance(found, datetime) else datetime.min.replace(tzinfo=UTC)
