"""The program's decisions and formats, without a database and without S3."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from lyo_backup import codec, copy_rows, parallel, parts, said, settings, tenants, upload, verify
from lyo_backup.database import Found
from lyo_backup.failures import DamagedError, RefusedError
from lyo_backup.grouping import grouped
from lyo_backup.manifest import (
    BadManifestError,
    Manifest,
    Part,
    Sequence,
    Table,
    decode,
)
from lyo_backup.tenants import ForeignKey
from lyo_backup.tools import Group, StoppedError

from tests.backup.harness import rewritten

ID = "20261127T030000Z-5f2c81aa"
BIG = b"".join(b"%d\tciao\n" % n for n in range(300_000))


def part(section: str, *tables: str) -> Part:
    key = f"logical/{ID}/parts/{section}{'-'.join(tables)}"
    return Part(key, section, tables, 10, 20, "0" * 64, "v")


MANIFEST = Manifest(
    id=ID,
    began="2026-11-27T03:00:00+00:00",
    finished="2026-11-27T03:00:01+00:00",
    server_version="18.6",
    tools={"pg_dump": "18.6"},
    database="app",
    encoding="UTF8",
    schema_revision="0005",
    snapshot_lsn="0/1",
    tables=(Table("public", "a", "public.a", 3, 8192, "0" * 16, "record", "t", {"x": 1, "": 2}),),
    sequences=(Sequence("public.s", 5, True, 9, True),),
    constraints={"public.a a_pkey": True},
    indexes=("public.a_pkey",),
    roles=("lyo",),
    parts=(part("pre-data"), part("data", "public.a"), part("rest"), part("post-data")),
    total_bytes=40,
    jobs=2,
    compression="zstd:3",
)


def test_a_manifest_comes_back_as_it_was() -> None:
    assert decode(MANIFEST.encode(), ID) == MANIFEST


def edited(change: Callable[[dict[str, Any]], Any]) -> bytes:
    document = json.loads(MANIFEST.encode())
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "no JSON"),
        (b"[]", "no object"),
        (MANIFEST.encode()[:300], "no JSON"),
        (edited(lambda d: d.update(format=3)), "has format 3; this program reads 1 and 2"),
        (edited(lambda d: d["tables"][0].update(rows=4)), "changed after it was written"),
        (edited(lambda d: d.pop("digest")), "changed after it was written"),
        (replace(MANIFEST, id="20200101T000000Z-00000000").encode(), "is that of"),
        (replace(MANIFEST, parts=MANIFEST.parts[1:]).encode(), "exactly one part pre-data"),
        (replace(MANIFEST, tables=()).encode(), "tables and parts are not the same"),
        (
            replace(
                MANIFEST, parts=(*MANIFEST.parts, part("data", "public.a")), total_bytes=50
            ).encode(),
            "tables and parts are not the same",
        ),
        (replace(MANIFEST, total_bytes=41).encode(), "total_bytes"),
        (
            replace(MANIFEST, tables=(replace(MANIFEST.tables[0], rows=4),)).encode(),
            "not all of its rows",
        ),
        (replace(MANIFEST, sequences=({"name": "s"},)).encode(), "lacks something"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_manifest_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(BadManifestError, match=said):
        decode(text, ID)


def test_a_manifest_of_format_1_is_read_as_one_of_today() -> None:
    """There a part had one table, or none, by the name `table`."""

    def older(document: dict[str, Any]) -> None:
        document["format"] = 1
        for entry in document["parts"]:
            (entry["table"],) = entry.pop("tables") or ("",)

    text = rewritten(MANIFEST.encode(), older)
    assert b'"tables": []' not in text
    assert decode(text, ID) == MANIFEST


def test_small_tables_share_a_part_and_large_ones_have_their_own() -> None:
    sizes = [900, 100, 99, 50, 30, 30, 10, 10, 10, 0, 0]
    tables = [Found("s", f"t{n}", size) for n, size in enumerate(sizes)]

    def groups(most_bytes: int, most_tables: int) -> list[list[int]]:
        made = grouped(tables, most_bytes, most_tables)
        assert [table for group in made for table in group] == tables
        return [[table.bytes for table in group] for group in made]

    assert groups(100, 500) == [[900], [100], [99], [50, 30], [30, 10, 10, 10, 0, 0]]
    assert groups(100, 3) == [[900], [100], [99], [50, 30], [30, 10, 10], [10, 0, 0]]
    assert groups(0, 500) == [[size] for size in sizes]
    assert groups(10_000, 500) == [sizes]
    assert grouped([], 100) == []
    crowd = [Found("s", f"t{n}", 8192) for n in range(1001)]
    assert [len(group) for group in grouped(crowd, settings.PART_BYTES)] == [500, 500, 1]


def test_a_part_is_called_by_what_it_has() -> None:
    assert part("rest").label == "rest"
    assert part("data", "public.a").label == "public.a"
    assert part("data", "public.a", "b", "c").label == "public.a and 2 more"


@pytest.mark.parametrize("compression", ["zstd:3", "gzip:1", "none"])
def test_what_is_compressed_comes_back(compression: str) -> None:
    coder = codec.encoder(compression)
    chunks = [coder.add(BIG[at : at + 100_000]) for at in range(0, len(BIG), 100_000)]
    packed = b"".join([*chunks, coder.end()])
    pieces = [packed[at : at + 777] for at in range(0, len(packed), 777)]
    assert b"".join(codec.decoded(iter(pieces), compression)) == BIG
    if compression != "none":
        assert len(packed) < len(BIG) / 2


@pytest.mark.parametrize("compression", ["zstd:3", "gzip:6"])
def test_a_small_object_may_not_become_a_large_piece(compression: str) -> None:
    coder = codec.encoder(compression)
    packed = coder.add(bytes(64 << 20)) + coder.end()
    assert len(packed) < 1 << 20
    sizes = [len(piece) for piece in codec.decoded(iter([packed]), compression)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= codec.LARGEST


@pytest.mark.parametrize("compression", ["zstd:3", "gzip:6"])
def test_damage_is_no_other_content(compression: str) -> None:
    coder = codec.encoder(compression)
    packed = coder.add(BIG) + coder.end()
    at = len(packed) // 2
    wrong = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
    with pytest.raises(codec.CorruptError):
        list(codec.decoded(iter([wrong]), compression))


def test_parts_are_few_enough_for_one_upload() -> None:
    assert upload.part_size(0) == upload.part_size(70 << 30) == 8 << 20
    for expected in (100 << 30, 5 << 40):
        assert expected / upload.part_size(expected) <= 10_000


KEYS = [
    ForeignKey("public.customers", ("tenant_id",), "public.tenants", ("id",)),
    ForeignKey("public.bookings", ("wa", "tenant"), "public.customers", ("wa_id", "tenant_id")),
    ForeignKey("public.notes", ("booking",), "public.bookings", ("id",)),
]
TABLES = ["public.bookings", "public.customers", "public.notes", "public.tenants", "public.log"]


def test_foreign_keys_tell_the_tenants_column() -> None:
    assert tenants.columns(TABLES, KEYS, "tenants", {}) == {
        "public.tenants": "id",
        "public.customers": "tenant_id",
        "public.bookings": "tenant",
    }


def test_a_named_column_wins_and_leads_on() -> None:
    found = tenants.columns(TABLES, KEYS, "tenants", {"log": "who", "public.bookings": "id"})
    assert found["public.log"] == "who"
    assert found["public.bookings"] == "id"
    assert found["public.notes"] == "booking"


def test_without_a_tenants_table_nothing_has_a_tenant() -> None:
    assert tenants.columns(TABLES, KEYS, "", {}) == {}
    assert tenants.columns(TABLES, KEYS, "restaurants", {}) == {}


def test_tables_come_after_those_that_they_reference() -> None:
    ordered = tenants.order(TABLES, KEYS)
    assert ordered.index("public.tenants") < ordered.index("public.customers")
    assert ordered.index("public.customers") < ordered.index("public.bookings")
    circle = [*KEYS, ForeignKey("public.tenants", ("best",), "public.bookings", ("id",))]
    with pytest.raises(ValueError, match=r"circle: public\.bookings, public\.customers"):
        tenants.order(TABLES, circle)


def test_rows_of_one_tenant_are_found_in_copys_text() -> None:
    """Of the tables that are asked for, whether their rows are read or not."""
    text = (
        b'SET x;\nCOPY public.a (id, "Tenant ""x", body) FROM stdin;\n'
        b"1\tt\\t1\tt\\t1\n2\tother\tt\\t1\n3\tt\\t1\t\\N\n\\.\n\n"
        b"COPY public.other (a) FROM stdin;\nt\\t1\n\\.\n"
        b'COPY "My ""s""."."b (c) %" ("Tenant ""x") FROM stdin;\nt\\t1\n\\.\n'
    )
    wanted = {"public.a": 'Tenant "x', 'My "s"..b (c) %': 'Tenant "x'}
    for size in (1, 7, 1000):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        blocks = copy_rows.matching(copy_rows.lines(chunks), wanted, "t\t1")
        assert [(one.table, one.columns, list(one.rows)) for one in blocks] == [
            ("public.a", ["id", 'Tenant "x', "body"], [b"1\tt\\t1\tt\\t1\n", b"3\tt\\t1\t\\N\n"]),
            ('My "s"..b (c) %', ['Tenant "x'], [b"t\\t1\n"]),
        ]
        unread = copy_rows.matching(copy_rows.lines(chunks), wanted, "t\t1")
        assert [one.table for one in unread] == list(wanted)


def test_settings_name_everything_that_is_wrong() -> None:
    with pytest.raises(RefusedError) as refused:
        settings.read(
            {
                "LYO_BACKUP_PREFIX": "x",
                "LYO_BACKUP_JOBS": "0",
                "LYO_BACKUP_COMPRESSION": "lz4",
                "LYO_TENANT_COLUMNS": "a",
            }
        )
    for name in ("BUCKET", "PREFIX", "JOBS", "COMPRESSION", "TENANT_COLUMNS"):
        assert name in str(refused.value)
    assert settings.read(
        {"LYO_BACKUP_BUCKET": "b", "LYO_TENANT_COLUMNS": "a=b,c.d=e"}
    ).tenant_columns == {
        "a": "b",
        "c.d": "e",
    }


@pytest.mark.parametrize("text", ["", "latest", "20261127T030000Z-5F2C81AA", "../x", ID + "0"])
def test_an_id_is_an_id(text: str) -> None:
    assert settings.valid_id(ID) == ID
    with pytest.raises(RefusedError, match="no ID of a backup"):
        settings.valid_id(text)


@pytest.mark.parametrize(
    ("got", "right"),
    [
        ((5, True), True),
        ((7, True), True),
        ((9, True), True),
        ((4, True), False),
        ((10, True), False),
        ((5, False), False),
    ],
)
def test_a_sequence_lies_between_before_and_after(got: tuple[int, bool], right: bool) -> None:
    assert (verify.sequences(MANIFEST.sequences, {"public.s": got}) == []) is right


def test_other_rows_with_the_same_sum_are_seen_by_tenant() -> None:
    (table,) = MANIFEST.tables
    swapped = replace(table, rows_per_tenant={"x": 2, "": 1})
    assert verify.differences(table, table) == []
    assert verify.differences(table, swapped) == ["public.a has other rows of 2 tenants: , x"]
    assert "checksum" in verify.differences(table, replace(table, checksum="1" * 16))[0]


class Recorder:
    """A pg_restore that notes what it is given."""

    def __init__(self) -> None:
        self.got, self.closed, self.errors = b"", False, ""
        self.stopped = threading.Event()

    @contextmanager
    def run(self, *_: Any, **__: Any) -> Iterator[Recorder]:
        yield self

    def write(self, chunk: bytes) -> bool:
        self.got += chunk
        return True

    def close(self) -> None:
        self.closed = True

    def wait(self, _: str) -> None:
        assert self.closed


class OneObject:
    """A store with one object, in pieces."""

    def __init__(self, size: int) -> None:
        self._size = size

    def chunks(self, _: Part) -> Iterator[bytes]:
        return iter([BIG[at : at + self._size] for at in range(0, len(BIG), self._size)])


def fed(digest: str, size: int) -> Recorder:
    recorder: Any = Recorder()
    store: Any = OneObject(size)
    one = replace(part("data", "public.a"), bytes=len(BIG), sha256=digest)
    manifest = replace(MANIFEST, compression="none")
    progress = said.Progress("restore", len(BIG))
    try:
        parts.feed(store, manifest, one, recorder, [], {}, progress)
    except DamagedError:
        assert not recorder.closed
    found: Recorder = recorder
    return found


@pytest.mark.parametrize("size", [100_000, parts.HELD_BYTES, 1000])
def test_pg_restore_gets_the_end_of_a_part_only_when_all_of_it_is_right(size: int) -> None:
    right = fed(hashlib.sha256(BIG).hexdigest(), size)
    assert (right.got == BIG, right.closed) == (True, True)
    wrong = fed("0" * 64, size)
    assert (wrong.got == BIG[: -parts.HELD_BYTES], wrong.closed) == (True, False)


def test_a_job_begins_while_another_is_completed() -> None:
    group, begun, done = Group(), threading.Event(), list[str]()
    ends = parallel.Ends(group, 1)

    def completed() -> None:
        assert begun.wait(10), "the next job waits for the end of this one"
        done.append("end")

    jobs: list[Callable[[], None]] = [lambda: ends.give(completed), begun.set]
    parallel.run(group, [(1, jobs)], ends=ends)
    assert done == ["end"]


def test_no_more_ends_wait_than_there_is_room_for() -> None:
    group, first, go, given = Group(), threading.Event(), threading.Event(), list[int]()
    ends = parallel.Ends(group, 1)

    def job(number: int) -> Callable[[], None]:
        def give() -> None:
            ends.give(lambda: assert_(go.wait(10)))
            given.append(number)
            first.set()

        return give

    def assert_(value: bool) -> None:
        assert value

    runner = threading.Thread(
        target=parallel.run, args=(group, [(1, [job(1), job(2)])]), kwargs={"ends": ends}
    )
    runner.start()
    assert first.wait(10)
    runner.join(0.2)
    assert given == [1]
    go.set()
    runner.join(10)
    assert given == [1, 2]


def test_what_an_end_raises_stops_the_jobs_and_is_what_is_told() -> None:
    group, begun, ended = Group(), threading.Event(), list[str]()
    ends = parallel.Ends(group, 2)

    def fails() -> None:
        assert begun.wait(10)
        raise DamagedError(["S3 is full"])

    def next_job() -> None:
        begun.set()
        assert group.stopped.wait(10)
        ends.give(lambda: ended.append("this one too, to clean up"))
        raise StoppedError

    jobs: list[Callable[[], None]] = [lambda: ends.give(fails), next_job]
    with pytest.raises(DamagedError, match="S3 is full"):
        parallel.run(group, [(1, jobs)], ends=ends)
    assert ended == ["this one too, to clean up"]


def test_a_last_end_that_fails_is_told() -> None:
    group = Group()
    ends = parallel.Ends(group, 1)

    def fails() -> None:
        raise DamagedError(["S3 is full"])

    with pytest.raises(DamagedError, match="S3 is full"):
        parallel.run(group, [(1, [lambda: ends.give(fails)])], ends=ends)
