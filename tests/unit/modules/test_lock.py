"""The lock's decisions, its object, and the guardian's ends, without a network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import Aws, AwsFailure
from ansible.module_utils.lyo_controller import Controller
from ansible.module_utils.lyo_ledger.record import KILLED, Run, ended, months_back
from ansible.module_utils.lyo_ledger.record import parse as parse_run
from ansible.module_utils.lyo_ledger.store import Ledger
from ansible.module_utils.lyo_lock import decide
from ansible.module_utils.lyo_lock.decide import REFUSE, TAKE, WAIT, Found, first_step
from ansible.module_utils.lyo_lock.guardian import Guardian, listen
from ansible.module_utils.lyo_lock.record import FREE, HELD, Lock, parse
from ansible.module_utils.lyo_lock.run_lock import explain
from ansible.module_utils.lyo_lock.store import LockStore, Overtaken

from .fakes import AWS

LIVING = Lock(HELD, 7, "r1", "alice", "laptop", "deploy.yml release=v2", "", "2026-11-23T03:00", 60)
BY_HAND = Lock(HELD, 7, "", "alice", "laptop", "", "press day", "2026-11-23T03:00", 0)


class Bucket:
    """S3 as far as lock and ledger use it, with conditional writes."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str], str]] = {}
        self.age = 0.0
        self.reads = 0
        self.broken = ""
        self._number = 0

    def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        assert service == "s3"
        if self.broken:
            raise AwsFailure(self.broken, self.broken, operation)
        return getattr(self, operation)(params)

    def get_object(self, params: dict[str, Any]) -> dict[str, Any]:
        from datetime import UTC, datetime, timedelta
        from email.utils import format_datetime
        from io import BytesIO

        self.reads += 1
        if params["Key"] not in self.objects:
            raise AwsFailure("NoSuchKey", "", "s3:GetObject")
        body, metadata, etag = self.objects[params["Key"]]
        now = datetime.now(UTC).replace(microsecond=0)
        return {
            "Body": BytesIO(body),
            "ETag": etag,
            "Metadata": metadata,
            "LastModified": now - timedelta(seconds=self.age),
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(now, usegmt=True)}},
        }

    def put_object(self, params: dict[str, Any]) -> dict[str, Any]:
        there = self.objects.get(params["Key"])
        if (params.get("IfNoneMatch") and there) or (
            "IfMatch" in params and (not there or there[2] != params["IfMatch"])
        ):
            raise AwsFailure("PreconditionFailed", "", "s3:PutObject")
        self._number += 1
        etag = f'"{self._number}"'
        self.objects[params["Key"]] = (params["Body"], params.get("Metadata", {}), etag)
        return {"ETag": etag}


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def store(bucket: Bucket) -> LockStore:
    return LockStore(bucket, "b", "lock")


# Decisions.


@pytest.mark.parametrize(
    ("found", "waited", "patience", "take_over", "step"),
    [
        (Found(None), 0, 0, 0, TAKE),
        (Found(LIVING.freed(), "e"), 0, 0, 0, TAKE),
        (Found(LIVING, "e", 10), 0, 0, 0, REFUSE),
        (Found(LIVING, "e", 10), 5, 30, 0, WAIT),
        (Found(LIVING, "e", 10), 30, 30, 0, REFUSE),
        (Found(LIVING, "e", 61), 0, 0, 0, TAKE),
        (Found(LIVING, "e", 60), 0, 0, 0, REFUSE),
        (Found(LIVING, "e", 10), 0, 0, 7, TAKE),
        (Found(LIVING, "e", 10), 0, 0, 6, REFUSE),
        (Found(BY_HAND, "e", 1e6), 0, 600, 0, REFUSE),
        (Found(BY_HAND, "e", 1e6), 0, 0, 7, TAKE),
    ],
)
def test_who_may_begin(
    found: Found, waited: float, patience: float, take_over: int, step: str
) -> None:
    assert first_step(found, waited, patience, take_over)[0] == step


def test_the_holder_is_named_with_what_to_do() -> None:
    text = first_step(Found(LIVING, "e", 10), 0, 0, 0)[1]
    for part in (
        "alice@laptop",
        "2026-11-23T03:00",
        "deploy.yml release=v2",
        "10 s",
        "take_over=7",
    ):
        assert part in text
    assert "press day" in first_step(Found(BY_HAND, "e"), 0, 0, 0)[1]
    assert "token=7" in first_step(Found(BY_HAND, "e"), 0, 0, 0)[1]
    assert "lease ran out 15 s ago" in first_step(Found(LIVING, "e", 75), 0, 0, 0)[1]


def test_each_holder_has_a_higher_token() -> None:
    mine = Lock(HELD, 0, "r2")
    assert decide.next_lock(Found(None), mine).token == 1
    assert decide.next_lock(Found(LIVING.freed(), "e"), mine).token == 8


# The object.


def test_of_two_who_saw_it_free_one_gets_it(store: LockStore) -> None:
    seen = store.read()
    store.write(decide.next_lock(seen, LIVING), seen)
    with pytest.raises(Overtaken):
        store.write(decide.next_lock(seen, BY_HAND), seen)
    assert store.read().lock == decide.next_lock(Found(None), LIVING)


def test_its_age_is_told_by_the_servers_clock(store: LockStore, bucket: Bucket) -> None:
    store.write(LIVING, Found(None))
    bucket.age = 42
    assert store.read().age == 42


def test_what_is_no_lock_is_not_overwritten(store: LockStore, bucket: Bucket) -> None:
    bucket.objects["lock"] = (b"{}", {}, '"1"')
    with pytest.raises(AwsFailure, match="not a lock") as caught:
        store.read()
    assert caught.value.code == "BadLock"
    with pytest.raises(ValueError, match="state 'maybe'"):
        parse(json.dumps({"state": "maybe", "token": 1}).encode())


def test_a_missing_bucket_says_what_to_type(store: LockStore, bucket: Bucket) -> None:
    bucket.broken = "NoSuchBucket"
    with pytest.raises(AwsFailure) as caught:
        store.read()
    text = explain(caught.value, "states", "staging")
    assert "states does not exist. Type: ansible-playbook bootstrap.yml -e env=staging" in text


# The fence.


def fenced(
    monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str] | None
) -> tuple[Aws, list[str]]:
    aws = Aws({**AWS, "fence": {"bucket": "b", "key": "lock", "token": 7}})
    aws._confirmed = True
    sent: list[str] = []

    def send(service: str, operation: str, params: Any) -> dict[str, Any]:
        sent.append(operation)
        if operation == "head_object" and metadata is None:
            raise AwsFailure("404", "", "s3:HeadObject")
        return {"Metadata": metadata}

    monkeypatch.setattr(aws, "_send", send)
    return aws, sent


def test_a_write_goes_while_the_lock_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, sent = fenced(monkeypatch, {"lyo-token": "7", "lyo-state": "held"})
    aws.call("ecs", "update_service")
    aws.call("ecs", "describe_services")
    assert sent == ["head_object", "update_service", "describe_services"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"lyo-token": "8", "lyo-state": "held"},
        {"lyo-token": "7", "lyo-state": "free"},
        {},
        None,
    ],
)
def test_after_a_take_over_a_write_is_refused(
    monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str] | None
) -> None:
    aws, sent = fenced(monkeypatch, metadata)
    with pytest.raises(AwsFailure, match="another run has taken over") as caught:
        aws.call("ecs", "update_service")
    assert caught.value.code == "LockLost"
    assert sent == ["head_object"]
    assert aws.writes == 0


# The ledger.

RUN = Run(
    "r1", 7, "local", "deploy.yml", "deploy.yml", "alice", "laptop", "2026-11-23T03:00:00+00:00"
)


def test_the_end_of_a_run_completes_its_beginning() -> None:
    done = ended(RUN, {"verdict": "DEPLOYED", "release": "v2", "owner": "mallory"}, "later")
    assert (done.verdict, done.release, done.owner, done.ended_at) == (
        "DEPLOYED",
        "v2",
        "alice",
        "later",
    )
    assert parse_run(done.to_json()) == done
    assert ended(RUN, None, "later").verdict == KILLED


def test_the_last_runs_come_first(bucket: Bucket) -> None:
    ledger = Ledger(bucket, "b")  # type: ignore[arg-type]

    def all_of(service: str, operation: str, key: str, /, **params: Any) -> list[Any]:
        return [{"Key": k} for k in sorted(bucket.objects) if k.startswith(params["Prefix"])]

    bucket.all = all_of  # type: ignore[attr-defined]
    from dataclasses import replace
    from datetime import UTC, datetime

    for number, day in enumerate(("2026-09-30", "2026-11-01", "2026-11-22")):
        ledger.write(replace(RUN, run=f"r{number}", started_at=f"{day}T03:00:00+00:00"))
    bucket.objects["ledger/2026-11/2026-11-30T0.json"] = (b"garbage", {}, '"x"')
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert [run.run for run in ledger.recent(10, now)] == ["r2", "r1", "r0"]
    assert [run.run for run in ledger.recent(2, now)] == ["r2", "r1"]  # the unreadable one is none


def test_no_more_runs_are_read_than_are_taken(bucket: Bucket) -> None:
    ledger = Ledger(bucket, "b")  # type: ignore[arg-type]
    listed: list[str] = []

    def all_of(service: str, operation: str, key: str, /, **params: Any) -> list[Any]:
        listed.append(params["Prefix"])
        return [{"Key": k} for k in sorted(bucket.objects) if k.startswith(params["Prefix"])]

    bucket.all = all_of  # type: ignore[attr-defined]
    from dataclasses import replace
    from datetime import UTC, datetime

    for day in range(10, 30):
        ledger.write(replace(RUN, run=f"r{day}", started_at=f"2026-11-{day}T03:00:00+00:00"))
    walk = ledger.walk(datetime(2026, 11, 30, tzinfo=UTC), at_once=4)
    assert [next(walk).run for _ in range(5)] == ["r29", "r28", "r27", "r26", "r25"]
    assert bucket.reads == 8
    assert listed == ["ledger/2026-11/"]


def test_months_are_counted_back_over_the_year() -> None:
    assert months_back("2026-02", 3) == ["2026-02", "2026-01", "2025-12"]


# The guardian.


class Watched(Controller):
    """A controller that lives as long as the test says."""

    def __init__(self) -> None:
        super().__init__(os.getpid())
        self.lives, self.sleeps = True, False

    def alive(self) -> bool:
        return self.lives

    def stopped(self) -> bool:
        return self.sleeps


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def guardian(store: LockStore, bucket: Bucket, tmp_path: Path) -> Guardian:
    held = store.write(LIVING, Found(None))
    return Guardian(
        Watched(),
        listen(str(tmp_path)),
        store,
        held,
        Ledger(bucket, "b"),
        RUN,
        60,
        Clock(),  # type: ignore[arg-type]
    )


def record(bucket: Bucket) -> Run:
    return parse_run(bucket.objects[f"ledger/{RUN.key}"][0])


def test_it_renews_a_quarter_of_a_lease_after_the_last_time(
    guardian: Guardian, bucket: Bucket
) -> None:
    first = bucket.objects["lock"][2]
    guardian._clock.now = 14  # type: ignore[attr-defined]
    guardian._renew_in_time()
    assert bucket.objects["lock"][2] == first
    guardian._clock.now = 15  # type: ignore[attr-defined]
    guardian._renew_in_time()
    assert bucket.objects["lock"][2] != first
    assert guardian.store is not None
    assert guardian.store.read().lock == LIVING


def test_it_does_not_renew_for_a_controller_that_was_stopped(
    guardian: Guardian, bucket: Bucket
) -> None:
    guardian._clock.now, guardian.controller.sleeps = 100, True  # type: ignore[attr-defined]
    first = bucket.objects["lock"][2]
    guardian._renew_in_time()
    assert bucket.objects["lock"][2] == first


def test_a_controller_that_dies_leaves_a_free_lock_and_a_record(
    guardian: Guardian, bucket: Bucket
) -> None:
    guardian.controller.lives = False  # type: ignore[attr-defined]
    guardian.watch()
    assert record(bucket).verdict == KILLED
    assert guardian.store is not None
    assert guardian.store.read().lock == LIVING.freed()


def test_a_run_that_was_overtaken_leaves_the_others_lock_alone(
    guardian: Guardian, bucket: Bucket
) -> None:
    assert guardian.store is not None
    other = decide.next_lock(guardian.store.read(), BY_HAND)
    guardian.store.write(other, guardian.store.read())
    assert guardian.end({"verdict": "FAILED"}) == ""
    assert guardian.store.read().lock == other
    assert record(bucket).verdict == "FAILED"


def test_the_controller_is_answered_when_the_end_is_written(
    guardian: Guardian, bucket: Bucket, tmp_path: Path
) -> None:
    watch = threading.Thread(target=guardian.watch)
    watch.start()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "guardian"))
        peer.sendall(json.dumps({"verdict": "DEPLOYED"}).encode() + b"\n")
        answer = json.loads(peer.makefile().readline())
    watch.join(5)
    assert answer == {"problem": ""}
    assert record(bucket).verdict == "DEPLOYED"
    assert guardian.store is not None
    assert guardian.store.read().lock.state == FREE  # type: ignore[union-attr]


def test_a_ledger_that_cannot_be_written_is_told(guardian: Guardian, bucket: Bucket) -> None:
    bucket.broken = "AccessDenied"
    assert "no end of this run" in guardian.end({"verdict": "DEPLOYED"})
    assert "free only after its lease" in guardian.end({"verdict": "DEPLOYED"})


def test_a_controllers_number_used_again_is_not_taken_for_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watched = Controller(child.pid)
    assert watched.alive()
    assert not watched.stopped()
    watched._started = "1"
    assert not watched.alive()
    child.communicate()
    assert not Controller(child.pid).alive()


def lose_answers(bucket: Bucket, count: int) -> None:
    """The next writes take effect, are repeated because no answer came, and are refused for that."""
    plain, left = bucket.put_object, [count]

    def put_object(params: dict[str, Any]) -> dict[str, Any]:
        if left[0]:
            left[0] -= 1
            plain(params)
        return plain(params)

    bucket.put_object = put_object  # type: ignore[method-assign]


def test_a_lock_is_ours_also_when_the_answer_was_lost(store: LockStore, bucket: Bucket) -> None:
    lose_answers(bucket, 1)
    held = store.write(LIVING, Found(None))
    assert (held.lock, held.etag) == (LIVING, bucket.objects["lock"][2])
    lose_answers(bucket, 1)
    renewed = store.write(LIVING, held)
    assert renewed.etag == bucket.objects["lock"][2]


def test_a_lock_is_freed_although_its_renewal_was_never_answered(
    guardian: Guardian, bucket: Bucket
) -> None:
    assert guardian.store is not None
    guardian.store.write(LIVING, guardian.store.read())  # the guardian has not heard of it
    assert guardian.end({"verdict": "DEPLOYED"}) == ""
    assert guardian.store.read().lock == LIVING.freed()


def test_another_run_that_has_the_lock_is_not_taken_for_ours(store: LockStore) -> None:
    seen = store.write(LIVING.freed(), Found(None))
    mine, theirs = decide.next_lock(seen, LIVING), decide.next_lock(seen, BY_HAND)
    store.write(theirs, seen)
    with pytest.raises(Overtaken):
        store.write(mine, seen)
    assert store.read().lock == theirs


def test_an_end_that_could_not_be_written_is_written_later(
    guardian: Guardian, bucket: Bucket
) -> None:
    bucket.broken, waited = "ThrottlingException", []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        guardian._clock.now += seconds  # type: ignore[attr-defined]
        if len(waited) == 5:
            bucket.broken = ""

    guardian._sleep = sleep
    guardian.controller.lives = False  # type: ignore[attr-defined]
    guardian.watch()
    assert record(bucket).verdict == KILLED
    assert guardian.store is not None
    assert guardian.store.read().lock == LIVING.freed()
    assert len(waited) == 5


@pytest.mark.parametrize(("code", "tries"), [("ThrottlingException", 60), ("AccessDenied", 0)])
def test_an_end_that_can_never_be_written_is_given_up_with_the_lease(
    guardian: Guardian, bucket: Bucket, code: str, tries: int
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        guardian._clock.now += seconds  # type: ignore[attr-defined]

    guardian._sleep, bucket.broken = sleep, code
    guardian.controller.lives = False  # type: ignore[attr-defined]
    guardian.watch()
    assert len(waited) == tries
