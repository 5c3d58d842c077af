"""`restore`: a whole backup into an empty database."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing

from . import database, emptiness, parallel, parts, said, tools
from .failures import DamagedError, EndError, FailedError, RefusedError
from .manifest import DATA, POST_DATA, PRE_DATA, REST, Manifest, Part
from .settings import Settings
from .store import Store
from .tools import Group

LOCK = "lyo_backup restore"
SHOWN = 5
OBJECTS = 500


def restore(
    settings: Settings, backup_id: str, *, copy: bool = False, no_owner: bool = False
) -> int:
    """Restore a backup into the database that libpq's environment names.

    :param copy: from the second bucket.
    :param no_owner: everything belongs to the connecting user, no privileges are granted.
    :raises RefusedError: the database is not empty, or not fit; nothing was changed.
    :raises DamagedError: a part is not what the manifest says; it was rolled back.
    :raises FailedError: it broke off; running it again begins anew.
    """
    tools.require([parts.RESTORE])
    store = Store.of(settings, copy=copy)
    manifest = parts.require(store, backup_id)
    with closing(database.connect("restore")) as lead:
        seconds = fill(settings, store, manifest, lead, no_owner=no_owner)
    said.event(
        "done",
        verb="restore",
        id=backup_id,
        seconds=round(seconds, 1),
        tables=len(manifest.tables),
        rows=sum(table.rows for table in manifest.tables),
        schema_revision=manifest.schema_revision,
    )
    return 0


def fill(
    settings: Settings,
    store: Store,
    manifest: Manifest,
    lead: database.Connection,
    *,
    no_owner: bool,
) -> float:
    """Restore into the database of a connection; returns the seconds until it was complete.

    A database that was restored from the same backup already is left as it is.
    """
    if not database.try_lock(lead, LOCK):
        raise RefusedError("another restore into this database is under way: wait for it")
    _fit(lead, manifest, no_owner=no_owner)
    broken, held = emptiness.marked(lead), emptiness.objects(lead)
    if held and not broken:
        if emptiness.restored(lead) == manifest.id:
            said.line(f"{lead.info.dbname} was restored from {manifest.id} already")
            return 0.0
        shown = ", ".join(f"{kind.lower()} {name}" for kind, name in held[:SHOWN])
        raise RefusedError(
            f"database {lead.info.dbname} is not empty ({len(held)} objects: {shown}, …):"
            " restore into a new one; nothing was changed"
        )
    if broken:
        said.line(f"removes what a broken restore of {broken} has left: {len(held)} objects")
        emptiness.clear(lead)
    emptiness.mark(lead, manifest.id)
    began = time.monotonic()
    try:
        _Restore(settings, store, manifest, lead, no_owner=no_owner).run()
    except EndError as error:
        left = (
            f"database {lead.info.dbname} is incomplete (schema {emptiness.MARK} marks it):"
            " the same command begins anew"
        )
        if isinstance(error, DamagedError):
            raise DamagedError([*error.reasons, left]) from error
        raise FailedError(f"{error}; {left}") from error
    seconds = time.monotonic() - began
    said.line(f"{manifest.id} restored in {said.duration(seconds)}, statistics next")
    lead.execute("ANALYZE")
    emptiness.complete(lead, manifest.id)
    return seconds


def _fit(lead: database.Connection, manifest: Manifest, *, no_owner: bool) -> None:
    """Whether the server can take the backup.

    :raises RefusedError: naming why it cannot.
    """
    server = str(database.one(lead, "SHOW server_version"))
    if int(server.partition(".")[0]) < int(manifest.server_version.partition(".")[0]):
        raise RefusedError(
            f"the server is PostgreSQL {server}, the backup of {manifest.server_version}:"
            " it takes the same major version or a later one"
        )
    encoding = str(database.one(lead, "SHOW server_encoding"))
    if encoding != manifest.encoding:
        raise RefusedError(f"the database's encoding is {encoding}, not {manifest.encoding}")
    if not no_owner:
        rows = lead.execute("SELECT rolname FROM pg_roles").fetchall()
        missing = sorted(set(manifest.roles) - {str(name) for (name,) in rows})
        if missing:
            raise RefusedError(
                f"the server lacks the roles {', '.join(missing)}: create them, or add --no-owner"
                " to have everything belong to the connecting user, without privileges of others"
            )


class _Restore:
    """One restore into an empty database."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        manifest: Manifest,
        lead: database.Connection,
        *,
        no_owner: bool,
    ) -> None:
        self._settings, self._store, self._manifest = settings, store, manifest
        self._group = Group()
        self._env = tools.environment(os.environ)
        plain = sum(part.plain_bytes for part in manifest.parts)
        self._progress = said.Progress("restore", plain)
        ownership = ("--no-owner", "--no-privileges") if no_owner else ()
        self._arguments = ["--exit-on-error", *ownership, tools.target(lead.info.dbname)]
        self._lead = lead

    def run(self) -> None:
        """Definitions, then rows side by side, then the rest, then indexes and constraints."""
        try:
            self._one(PRE_DATA)
            jobs = [self._job(part) for part in self._manifest.of(DATA)]
            parallel.run(self._group, [(self._settings.jobs, jobs)])
            # After the tables: the values that sequences had at the very end count.
            self._one(REST)
            self._post_data()
        finally:
            self._group.stop()

    def _one(self, section: str) -> None:
        (part,) = self._manifest.of(section)
        self._feed(part)

    def _job(self, part: Part) -> Callable[[], None]:
        return lambda: self._feed(part)

    def _feed(self, part: Part) -> None:
        # Every object that a transaction makes is locked until its end, and a server has room for
        # some thousand locks; rows need one a table, and what is damaged must not come in by half.
        whole = "--single-transaction" if part.section == DATA else f"--transaction-size={OBJECTS}"
        arguments = [whole, *self._arguments]
        parts.feed(
            self._store,
            self._manifest,
            part,
            self._group,
            arguments,
            self._env,
            self._progress,
        )

    def _post_data(self) -> None:
        """Build indexes and constraints side by side, in the order that pg_restore knows.

        It has to open the archive several times, so the archive, which has no rows, lies in memory.
        """
        (part,) = self._manifest.of(POST_DATA)
        archive = b"".join(parts.plain(self._store, self._manifest, part))
        number = os.memfd_create("post-data")
        try:
            with open(number, "wb", closefd=False) as file:
                file.write(archive)
            arguments = [f"--jobs={self._settings.jobs}", *self._arguments, f"/dev/fd/{number}"]
            with self._group.run(
                [parts.RESTORE, *arguments], self._env, pass_fds=[number]
            ) as child:
                child.wait("building indexes and constraints")
        finally:
            os.close(number)
