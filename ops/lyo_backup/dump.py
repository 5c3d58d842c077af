"""`dump`: one snapshot, part by part through pg_dump, compressed and streamed to S3.

Nothing touches the disk. The manifest is written last: without it there is no backup, and whatever
lies below the ID is what a broken run has left. The lock on its objects comes after it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from . import VERSION, codec, database, parallel, said, snapshots, tools
from .failures import DamagedError, RefusedError
from .grouping import grouped
from .locking import protect
from .manifest import DATA, POST_DATA, PRE_DATA, REST, Manifest, Part, Sequence, Table, label
from .settings import Settings
from .store import BEGAN, MANIFEST, Store
from .tools import Group, StoppedError, pattern
from .upload import Upload

# What another database left unfinished is removed after this time; of our own at once.
ABANDONED = timedelta(days=2)
PROGRAM = "pg_dump"


def dump(settings: Settings, backup_id: str) -> int:
    """Make a backup; one that is finished already is left as it is.

    :raises RefusedError: another run is making this very backup.
    :raises DamagedError: there was a finished one, and its manifest was deleted or changed.
    :raises FailedError: it could not be finished.
    """
    tools.require([PROGRAM])
    store = Store.of(settings)
    with closing(database.connect("dump")) as lead:
        if not database.try_lock(lead, f"lyo_backup {backup_id}"):
            raise RefusedError(f"another run is making {backup_id}: wait for it")
        found = store.manifest(backup_id)
        if found is None and store.finished(backup_id):
            raise DamagedError(
                [f"the manifest of {backup_id} was deleted: make a backup of another ID"]
            )
        if found is None:
            _sweep(store, lead, backup_id)
            found = _Run(settings, store, lead, backup_id).run()
        else:
            said.line(f"{backup_id} is finished already, since {found.finished}")
        protect(store, found)
        store.delete_if_there(store.key(backup_id, BEGAN))
    said.event(
        "done",
        verb="dump",
        id=backup_id,
        bytes=found.total_bytes,
        tables=len(found.tables),
        rows=sum(table.rows for table in found.tables),
        schema_revision=found.schema_revision,
    )
    return 0


def _sweep(store: Store, lead: database.Connection, backup_id: str) -> None:
    """Remove what broken runs of this database have left, this ID's and others'."""
    here = _place(lead)
    for other in store.ids():
        if other != backup_id and not _abandoned(store, lead, other, here):
            continue
        if count := store.remove_unfinished(other):
            said.line(f"removed what an unfinished run has left of {other}: {count}")
            said.event("removed", id=other, count=count)


def _abandoned(store: Store, lead: database.Connection, other: str, here: str) -> bool:
    """Whether an ID is unfinished and nobody works on it."""
    if store.finished(other):
        return False
    mark = store.document(store.key(other, BEGAN))
    if mark.get("place") != here:
        began = datetime.strptime(other[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return datetime.now(UTC) - began > ABANDONED
    if not database.try_lock(lead, f"lyo_backup {other}"):
        return False
    database.release(lead, f"lyo_backup {other}")
    # Somebody may have finished it between the two looks.
    return not store.finished(other)


def _place(lead: database.Connection) -> str:
    """Which database this is: advisory locks are seen within one database only."""
    info = lead.info
    return f"{info.host}:{info.port}/{info.dbname}"


@dataclass(frozen=True)
class _Job:
    """A part to be made.

    :ivar filter: what pg_dump reads from its standard input: a command line is not long enough for
        the names of all tables.
    :ivar expected: bytes before compression, estimated.
    """

    name: str
    section: str
    arguments: tuple[str, ...]
    tables: tuple[str, ...] = ()
    filter: str = ""
    expected: int = 0


class _Run:
    """One dump."""

    def __init__(
        self, settings: Settings, store: Store, lead: database.Connection, backup_id: str
    ) -> None:
        self._settings, self._store, self._lead, self._id = settings, store, lead, backup_id
        self._group = Group()
        self._env = tools.environment(os.environ)
        self._progress = said.Progress("dump", 1)

    def run(self) -> Manifest:
        """Make the parts and the manifest; what was made is removed if it fails."""
        began = time.monotonic()
        self._store.put(self._store.key(self._id, BEGAN), _json({"place": _place(self._lead)}))
        try:
            manifest = self._make()
            version = self._store.put(
                self._store.key(self._id, MANIFEST), manifest.encode(), locked=True
            )
        except BaseException:
            self._group.stop()
            self._clean_up()
            raise
        seconds = time.monotonic() - began
        plain = sum(part.plain_bytes for part in manifest.parts)
        said.line(
            f"{self._id}: {len(manifest.tables)} tables, {said.size(plain)} as"
            f" {said.size(manifest.total_bytes)} in {said.duration(seconds)}"
        )
        said.event(
            "dumped",
            id=self._id,
            seconds=round(seconds, 1),
            plain_bytes=plain,
            bytes=manifest.total_bytes,
            manifest_version=version,
        )
        return manifest

    def _clean_up(self) -> None:
        # A manifest whose answer was lost would be there all the same.
        try:
            if not self._store.finished(self._id):
                self._store.remove_unfinished(self._id)
        except Exception as error:
            said.wrong(f"what was made of {self._id} is removed by the next dump: {error}")

    def _make(self) -> Manifest:
        settings, lead = self._settings, self._lead
        began = datetime.now(UTC)
        lsn = str(database.one(lead, "SELECT pg_current_wal_insert_lsn()"))
        lead.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = str(database.one(lead, "SELECT pg_export_snapshot()"))
        found = database.tables(lead)
        columns = database.tenant_columns(lead, found, settings)
        methods = database.hash_methods(lead, found)
        snapshots.hold(lead, found)
        self._progress = said.Progress("dump", sum(table.bytes for table in found))
        said.line(f"{self._id}: {len(found)} tables, {settings.jobs} at a time, from {lsn}")
        groups = grouped(found, settings.part_bytes)
        rest = self._rest(snapshot, found, len(groups) + 3)
        made = self._all(snapshot, groups, rest, columns, methods)
        parts = sorted(made.parts, key=lambda part: part.key)
        manifest = Manifest(
            id=self._id,
            began=began.isoformat(timespec="seconds"),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            server_version=str(database.one(lead, "SHOW server_version")),
            tools={PROGRAM: tools.version(PROGRAM), "lyo_backup": VERSION},
            database=lead.info.dbname,
            encoding=str(database.one(lead, "SHOW server_encoding")),
            schema_revision=database.schema_revision(lead, settings.schema_table),
            snapshot_lsn=lsn,
            tables=tuple(sorted(made.tables, key=lambda table: table.name)),
            sequences=tuple(made.sequences),
            constraints=database.constraints(lead),
            indexes=tuple(database.indexes(lead)),
            roles=tuple(database.roles(lead)),
            parts=tuple(parts),
            total_bytes=sum(part.bytes for part in parts),
            jobs=settings.jobs,
            compression=settings.compression,
        )
        lead.execute("COMMIT")
        return manifest

    def _all(
        self,
        snapshot: str,
        groups: list[tuple[database.Found, ...]],
        rest: _Job,
        columns: Mapping[str, str],
        methods: Mapping[str, str],
    ) -> _Made:
        """Make every part, and measure every table, both largest first."""
        common = self._common(snapshot)
        jobs = [
            _Job("0001-pre-data", PRE_DATA, (*common, "--section=pre-data")),
            _Job("0002-post-data", POST_DATA, (*common, "--section=post-data")),
        ]
        jobs += [self._data(snapshot, group, number) for number, group in enumerate(groups, 3)]
        made = _Made([], [], [])
        ends = parallel.Ends(self._group, self._settings.jobs)

        def part(job: _Job) -> Callable[[], None]:
            return lambda: ends.give(self._part(job, made))

        def sequences() -> None:
            """The rest, with where each sequence is just before and just after it."""
            before = database.sequences(self._lead)
            part(rest)()
            after = database.sequences(self._lead)
            made.sequences += [
                Sequence(name, *before[name], *after[name])
                for name in sorted(before.keys() & after.keys())
            ]

        def measured(group: tuple[database.Found, ...]) -> Callable[[], None]:
            return lambda: made.tables.extend(snapshots.measure(snapshot, group, columns, methods))

        # The tables first: the small parts fill a gap at the end.
        ordered = [part(job) for job in jobs[2:] + jobs[:2]]
        parallel.run(
            self._group,
            [
                (self._settings.jobs, [*ordered, sequences]),
                (self._settings.jobs, [measured(group) for group in groups]),
            ],
            # The snapshot lives as long as this session; its end has to be noticed.
            self._beat,
            ends,
        )
        return made

    def _common(self, snapshot: str) -> tuple[str, ...]:
        return (
            "--format=custom",
            "--compress=none",
            f"--snapshot={snapshot}",
            f"--lock-wait-timeout={database.LOCK_SECONDS * 1000}",
        )

    def _beat(self) -> None:
        self._lead.execute("SELECT 1")

    def _data(self, snapshot: str, group: tuple[database.Found, ...], number: int) -> _Job:
        """The part with the rows of some tables."""
        more = f"-and-{len(group) - 1}-more" if len(group) > 1 else ""
        return _Job(
            f"{number:04}-{_plain(group[0].name)}{more}",
            DATA,
            (*self._common(snapshot), "--section=data", "--strict-names", "--filter=-"),
            tuple(table.name for table in group),
            "".join(f"include table {pattern(table.schema, table.table)}\n" for table in group),
            sum(table.bytes for table in group),
        )

    def _rest(self, snapshot: str, found: list[database.Found], number: int) -> _Job:
        """The part with sequences, large objects and what extensions keep."""
        excluded = "".join(
            f"exclude table_data {pattern(table.schema, table.table)}\n" for table in found
        )
        arguments = (*self._common(snapshot), "--section=data", "--filter=-")
        return _Job(f"{number:04}-rest", REST, arguments, filter=excluded)

    def _part(self, job: _Job, made: _Made) -> Callable[[], None]:
        """Make one part; returns what completes it, which has to be called."""
        settings = self._settings
        key = self._store.key(self._id, f"parts/{job.name}{codec.suffix(settings.compression)}")
        upload = Upload(self._store, key, job.expected)
        coder = codec.encoder(settings.compression)
        plain = 0
        with ExitStack() as stack:
            stack.callback(upload.abort)
            with self._group.run(
                [PROGRAM, *job.arguments],
                self._env,
                stdin=tools.PIPE if job.filter else tools.NOTHING,
                stdout=tools.PIPE,
            ) as child:
                if job.filter:
                    child.write(job.filter.encode())
                    child.close()
                for chunk in child.read():
                    plain += len(chunk)
                    upload.write(coder.add(chunk))
                    self._progress.add(len(chunk))
                child.wait(f"dumping {label(job.section, job.tables)}")
            upload.write(coder.end())
            stack.pop_all()  # whoever completes it aborts it

        def complete() -> None:
            with ExitStack() as stack:
                stack.callback(upload.abort)
                if self._group.stopped.is_set():
                    raise StoppedError
                done = upload.finish()
            part = Part(
                key, job.section, job.tables, done.bytes, plain, done.sha256, done.version_id
            )
            made.parts.append(part)
            said.event(
                "part", key=key, what=part.label, bytes=part.bytes, plain_bytes=part.plain_bytes
            )

        return complete


@dataclass
class _Made:
    """Parts, tables and sequences, as jobs finish them."""

    parts: list[Part]
    tables: list[Table]
    sequences: list[Sequence]


def _plain(name: str) -> str:
    """Return a name as a key may have it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"
