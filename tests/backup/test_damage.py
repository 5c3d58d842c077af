"""A backup that was damaged after it was made: found, named, and never restored by half."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.backup.harness import BUCKET, Bench, rewritten
from tests.backup.s3_harness import Refusal, Request
from tests.backup.schema import BOOKINGS

Keys = dict[str, str]


def flip(content: bytes) -> bytes:
    """One bit, in the middle."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.fixture
def keys(bench: Bench, damaged: str) -> Keys:
    """The keys of a backup by what they are."""
    listed = bench.s3.client().list_objects_v2(Bucket=BUCKET, Prefix=f"logical/{damaged}/")
    names = [entry["Key"] for entry in listed["Contents"]]
    wanted = ("pre-data", "post-data", "public.bookings", "public.customers", "rest", "manifest")
    return {word: next(name for name in names if word in name) for word in wanted}


@pytest.fixture(scope="module")
def _damaged(made: str) -> str:
    return made


@pytest.fixture
def damaged(bench: Bench, _damaged: str) -> Iterator[str]:
    """A backup to damage; afterwards it is as it was."""
    before = bench.s3.snapshot(BUCKET)
    yield _damaged
    bench.s3.put_back(BUCKET, before)


def reasons(bench: Bench, backup_id: str, verb: str = "check", database: str = "live") -> str:
    """Why it is damaged: exit code 3, and the verdict says so."""
    ended = bench.run(database, verb, "--id", backup_id, expect=3)
    assert ended.event("verdict")["verdict"] == "DAMAGED"
    return "\n".join(ended.event("damaged")["reasons"])


def test_flipped_bits_are_found(bench: Bench, damaged: str, keys: Keys) -> None:
    parts = [keys[part] for part in ("pre-data", "public.bookings", "rest")]
    for key in parts:
        bench.s3.damage(BUCKET, key, flip)
    said = reasons(bench, damaged)
    assert [key for key in parts if f"{key} was changed" not in said] == []


def test_a_truncated_part_is_found(bench: Bench, damaged: str, keys: Keys) -> None:
    bench.s3.damage(BUCKET, keys["public.bookings"], lambda content: content[:-100])
    assert f"{keys['public.bookings']} has " in reasons(bench, damaged)


def test_a_missing_part_is_found(bench: Bench, damaged: str, keys: Keys) -> None:
    bench.s3.lose(BUCKET, keys["public.customers"])
    assert f"{keys['public.customers']} is missing" in reasons(bench, damaged)
    listed = bench.run("live", "list")
    (one,) = [e for e in listed.events if e.get("id") == damaged]
    assert one["verdict"] == "DAMAGED"


def test_swapped_parts_are_found(bench: Bench, damaged: str, keys: Keys) -> None:
    one, other = keys["public.bookings"], keys["public.customers"]
    contents = bench.s3.content(BUCKET, one), bench.s3.content(BUCKET, other)
    bench.s3.damage(BUCKET, one, lambda _: contents[1])
    bench.s3.damage(BUCKET, other, lambda _: contents[0])
    said = reasons(bench, damaged)
    assert one in said
    assert other in said


def test_every_damage_is_named_not_only_the_first(bench: Bench, damaged: str, keys: Keys) -> None:
    bench.s3.damage(BUCKET, keys["post-data"], flip)
    bench.s3.lose(BUCKET, keys["rest"])
    said = reasons(bench, damaged)
    assert f"{keys['post-data']} was changed" in said
    assert f"{keys['rest']} is missing" in said


def test_a_replaced_part_is_found_and_its_own_version_restores(
    bench: Bench, damaged: str, keys: Keys
) -> None:
    client = bench.s3.client()
    client.put_object(Bucket=BUCKET, Key=keys["public.bookings"], Body=b"something else")
    assert f"{keys['public.bookings']} was replaced" in reasons(bench, damaged)
    database = bench.fresh("back")
    bench.run(database, "restore", "--id", damaged)
    assert bench.sql(database, "SELECT count(*) FROM bookings") == [(BOOKINGS,)]


def test_a_deleted_part_is_found_and_its_own_version_restores(
    bench: Bench, damaged: str, keys: Keys
) -> None:
    bench.s3.client().delete_object(Bucket=BUCKET, Key=keys["rest"])
    assert f"{keys['rest']} was deleted" in reasons(bench, damaged)


def test_an_object_that_is_no_part_is_found(bench: Bench, damaged: str, keys: Keys) -> None:
    key = keys["rest"].replace("rest", "more")
    bench.s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert f"{key} is no part of the backup" in reasons(bench, damaged)


def test_a_deleted_manifest_is_not_mistaken_for_an_unfinished_dump(
    bench: Bench, damaged: str, keys: Keys
) -> None:
    bench.s3.client().delete_object(Bucket=BUCKET, Key=keys["manifest"])
    listed = bench.run("live", "list")
    (one,) = [e for e in listed.events if e.get("id") == damaged]
    assert one["verdict"] == "DAMAGED"
    before = bench.s3.snapshot(BUCKET)
    bench.run("live", "dump", "--id", damaged, expect=3)
    assert bench.s3.snapshot(BUCKET) == before


def test_a_wrong_manifest_is_found(bench: Bench, damaged: str, keys: Keys) -> None:
    """One whose digest fits: what it says of the parts is held against them all the same."""

    def change(document: dict[str, Any]) -> None:
        document["parts"][2]["sha256"] = "0" * 64

    bench.s3.damage(BUCKET, keys["manifest"], lambda content: rewritten(content, change))
    assert f"{keys['public.bookings']} was changed" in reasons(bench, damaged)


def test_a_changed_manifest_is_found(bench: Bench, damaged: str, keys: Keys) -> None:
    bench.s3.damage(BUCKET, keys["manifest"], lambda content: content.replace(b"0005", b"0006"))
    assert "changed after it was written" in reasons(bench, damaged)


def test_a_damaged_part_is_rolled_back_as_a_whole(bench: Bench, damaged: str, keys: Keys) -> None:
    """The damage is at the very end: all rows before it have been read by then."""
    bench.s3.damage(BUCKET, keys["public.bookings"], lambda c: c[:-1] + bytes([c[-1] ^ 1]))
    database = bench.fresh("back")
    ended = bench.run(database, "restore", "--id", damaged, expect=3)
    assert "is incomplete" in ended.event("damaged")["reasons"][-1]
    assert bench.sql(database, "SELECT count(*) FROM bookings") == [(0,)]


def test_verify_finds_damage_too(bench: Bench, damaged: str, keys: Keys) -> None:
    bench.s3.damage(BUCKET, keys["public.customers"], flip)
    said = reasons(bench, damaged, "verify", bench.fresh("scratch"))
    assert keys["public.customers"] in said


def test_a_key_that_is_lost_is_found(bench: Bench, damaged: str) -> None:
    def disabled(request: Request) -> Refusal | None:
        part = request.method == "GET" and "/parts/" in request.path
        text = "arn:aws:kms:eu-south-1:123456789012:key/x is disabled."
        return Refusal(400, "KMS.DisabledException", text) if part else None

    bench.s3.door.before = disabled
    assert "cannot be decrypted" in reasons(bench, damaged)


@pytest.mark.parametrize("verb", ["check", "verify"])
def test_ended_credentials_are_no_verdict(bench: Bench, damaged: str, verb: str) -> None:
    def expired(request: Request) -> Refusal | None:
        return Refusal(400, "ExpiredToken") if "/parts/0003" in request.path else None

    bench.s3.door.before = expired
    database = bench.fresh("scratch") if verb == "verify" else "live"
    before = bench.s3.snapshot(BUCKET)
    ended = bench.run(database, verb, "--id", damaged, expect=1)
    assert "credentials have ended" in ended.event("failed")["reason"]
    assert bench.s3.snapshot(BUCKET) == before
