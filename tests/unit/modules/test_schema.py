from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_ledger.record import Run
from ansible.module_utils.lyo_release import schema
from ansible.module_utils.lyo_release.past import Past
from ansible.module_utils.lyo_release.schema import Schema

from .fakes import FakeAws

# Alembic's names have no order.
CONTRACTED = Schema("f3", ("b2", "f3"), ("a9",))
EXPANDED = Schema("b2", ("a9", "b2"))


def run(number: int, **changes: Any) -> Run:
    """A deploy that ended well; higher numbers are later."""
    values: dict[str, Any] = {
        "run": f"r{number}",
        "token": number,
        "env": "local",
        "runbook": "deploy.yml",
        "command": f"deploy.yml release=v{number}",
        "owner": "alice",
        "host": "laptop",
        "started_at": f"2026-11-{number:02}T03:00:00+00:00",
        "verdict": "DEPLOYED",
    }
    return Run(**{**values, **changes})


def told(found: Schema) -> dict[str, Any]:
    return {
        "schema": found.revision,
        "schema_serves": found.serves,
        "schema_contracted": found.contracted,
    }


LINE = 'lyo.schema: {"revision": "f3", "serves": ["b2", "f3"], "contracted": ["a9"]}'


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["starting", LINE], CONTRACTED),
        ([LINE, "seeded 3 tenants"], CONTRACTED),
        (['lyo.schema: {"revision": "b2"}', LINE], CONTRACTED),
        (['lyo.schema: {"revision": "x"}'], Schema("x")),
        (['lyo.schema: {"revision": null, "serves": [], "contracted": []}'], Schema("")),
        ([], None),
        (["migrate: done"], None),
        (["the line lyo.schema: {}"], None),
        (["lyo.schema: nonsense"], None),
        (['lyo.schema: {"serves": ["b2"]}'], None),
        (["lyo.schema: []"], None),
        (['lyo.schema: {"revision": "x", "serves": 7}'], None),
    ],
)
def test_what_a_migration_said(lines: list[str], found: Schema | None) -> None:
    assert schema.said(lines) == found


@pytest.mark.parametrize(
    ("revisions", "present", "reason"),
    [
        (["a9"], EXPANDED, ""),
        (["b2"], EXPANDED, ""),
        (["b2"], CONTRACTED, ""),
        (["a9", "b2"], CONTRACTED, ""),
        (["a9"], CONTRACTED, "contracted since and serves only b2 or f3"),
        # A restored backup may be older than what the release needs.
        (["f3"], EXPANDED, "v needs schema f3, but the database is at b2"),
        # Nobody knows: not refused.
        (["a9"], None, ""),
        (["a9"], Schema("x"), ""),
        ([], CONTRACTED, ""),
    ],
)
def test_whom_the_schema_serves(revisions: list[str], present: Schema | None, reason: str) -> None:
    why = schema.cannot_serve("v", revisions, present)
    assert bool(why) == bool(reason)
    assert reason in why


@pytest.mark.parametrize(
    ("revisions", "present", "expected"),
    [
        (["a9"], CONTRACTED, True),
        (["a9", "b2"], CONTRACTED, False),
        # Its own migrations lead there.
        (["c4"], CONTRACTED, False),
        (["a9", "c4"], CONTRACTED, False),
        ([], CONTRACTED, False),
        (["a9"], EXPANDED, False),
        (["a9"], None, False),
    ],
)
def test_which_releases_were_outlived(
    revisions: list[str], present: Schema | None, expected: bool
) -> None:
    assert schema.outlived(revisions, present) is expected


def test_a_refusal_names_every_revision() -> None:
    present = Schema("d", ("b", "c", "d"), ("a", "z"))
    why = schema.cannot_serve("v1", ["a", "z"], present)
    assert why == (
        "v1 runs on schema a or z, but the database is at d, "
        "which was contracted since and serves only b, c or d"
    )


def test_what_could_not_be_checked_is_said() -> None:
    assert "does not say what it runs on" in schema.unknown("v1", [], CONTRACTED)
    assert "no run on record" in schema.unknown("v1", ["a9"], None)
    assert "no run on record" in schema.unknown("v1", ["a9"], Schema("x"))
    assert schema.unknown("v1", ["a9"], CONTRACTED) == ""


@pytest.mark.parametrize(
    ("runs", "found", "doubt"),
    [
        ([], None, None),
        ([run(2), run(1)], None, None),
        ([run(2), run(1, **told(CONTRACTED))], CONTRACTED, None),
        ([run(3), run(2, **told(EXPANDED)), run(1, **told(CONTRACTED))], EXPANDED, None),
        # An older image names the revision alone: what it serves was said before.
        ([run(3, schema="b2"), run(2, schema="x"), run(1, **told(EXPANDED))], EXPANDED, None),
        ([run(3, schema="x"), run(1, **told(EXPANDED))], Schema("x"), None),
        # Also by the run that failed.
        ([run(2, verdict="FAILED", **told(EXPANDED)), run(1)], EXPANDED, None),
        # Ended without a word: perhaps it migrated.
        ([run(2, verdict="KILLED"), run(1, **told(EXPANDED))], EXPANDED, 2),
        ([run(2, verdict="INTERRUPTED"), run(1, **told(EXPANDED))], EXPANDED, 2),
        ([run(2, verdict="RUNNING"), run(1, **told(EXPANDED))], EXPANDED, 2),
        ([run(3, verdict="FAILED"), run(2, verdict="KILLED"), run(1)], None, 3),
        # Before what is known, or of a runbook that does not migrate: no doubt.
        ([run(2, **told(EXPANDED)), run(1, verdict="KILLED")], EXPANDED, None),
        ([run(3, schema="b2"), run(2, verdict="KILLED"), run(1, **told(EXPANDED))], EXPANDED, None),
        (
            [run(2, verdict="KILLED", runbook="rollback.yml"), run(1, **told(EXPANDED))],
            EXPANDED,
            None,
        ),
        *(
            ([run(2, verdict=verdict), run(1, **told(EXPANDED))], EXPANDED, None)
            for verdict in ("DEPLOYED", "ROLLED_BACK", "UNCHANGED", "APPLIED", "STILL_RUNNING")
        ),
    ],
)
def test_where_the_schema_is_by_the_ledger(
    runs: list[Run], found: Schema | None, doubt: int | None
) -> None:
    present, uncertain = schema.on_record(runs)
    assert present == found
    assert (uncertain.token if uncertain else None) == doubt


# Read from the bucket and the log.


class Ledger(FakeAws):
    """A bucket with these runs, and a log of migrations."""

    def __init__(self, runs: list[Run], **answers: Any) -> None:
        bodies = {f"ledger/{r.key}": r.to_json() for r in runs}

        def listed(params: dict[str, Any]) -> dict[str, Any]:
            return {"Contents": [{"Key": k} for k in bodies if k.startswith(params["Prefix"])]}

        def body(params: dict[str, Any]) -> dict[str, Any]:
            from io import BytesIO

            return {"Body": BytesIO(bodies[params["Key"]])}

        super().__init__(**{"list_objects_v2": listed, "get_object": body, **answers})


PLACE = {"bucket": "b", "prefix": "ledger/"}


def event(stream: str, at: int, revision: str, **more: Any) -> dict[str, Any]:
    import json

    said = f"lyo.schema: {json.dumps({'revision': revision, **more})}\n"
    return {"logStreamName": stream, "timestamp": at, "message": said}


def past(runs: list[Run], **answers: Any) -> tuple[Past, Ledger]:
    aws = Ledger(runs, **answers)
    return Past(aws, PLACE), aws  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def november(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from ansible.module_utils.lyo_ledger import store

    class Today(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Today:  # noqa: ARG003
            return cls(2026, 11, 30, tzinfo=UTC)

    monkeypatch.setattr(store, "datetime", Today)


def test_the_log_tells_what_a_killed_run_did() -> None:
    known = run(1, **told(EXPANDED))
    served = {"serves": ["b2", "f3"], "contracted": ["a9"]}
    events = [
        event("migrate/app/2", 20, "f3", **served),
        event("migrate/app/1", 10, "b2"),
        event("app/app/9", 30, "not a migration's"),
    ]
    before, aws = past([run(2, verdict="KILLED"), known], filter_log_events={"events": events})
    assert before.present("/lyo/app") == (CONTRACTED, "")
    asked = aws.named("filter_log_events")[0]
    assert asked["startTime"] == 1793588400000
    assert asked["logStreamNamePrefix"] == "migrate/"
    assert asked["filterPattern"] == '"lyo.schema:"'
    # An old image does not know what the present revision serves; the ledger does.
    events[:] = [event("migrate/app/1", 10, "b2")]
    before, _ = past([run(2, verdict="KILLED"), known], filter_log_events={"events": events})
    assert before.present("/lyo/app") == (EXPANDED, "")
    events[:] = [event("migrate/app/1", 10, "new")]
    before, _ = past([run(2, verdict="KILLED"), known], filter_log_events={"events": events})
    assert before.present("/lyo/app") == (Schema("new"), "")


@pytest.mark.parametrize(
    "answer", [{"events": []}, AwsFailure("ResourceNotFoundException", "no such group")]
)
def test_without_a_log_there_is_doubt(answer: Any) -> None:
    runs = [run(2, verdict="KILLED"), run(1, **told(EXPANDED))]
    before, _ = past(runs, filter_log_events=answer)
    found, doubt = before.present("/lyo/app")
    assert found == EXPANDED
    assert "(deploy.yml release=v2) ended as KILLED" in doubt
    before, aws = past(runs)
    assert before.present("")[1] == doubt
    assert not aws.named("filter_log_events")


def test_a_ledger_that_cannot_be_read_is_a_remark() -> None:
    before, _ = past([], list_objects_v2=AwsFailure("AccessDenied", "not allowed"))
    assert before.present("/lyo/app") == (None, "the ledger cannot be read: not allowed")
    assert before.runs() == []
    none = Past(FakeAws(), None)  # type: ignore[arg-type]
    assert none.present("/lyo/app") == (None, "no ledger was named")
    assert none.runs(3) == []


def test_runs_are_read_once_and_no_more_than_needed() -> None:
    runs = [run(n) for n in range(1, 29)]
    before, aws = past(runs)
    assert [r.token for r in before.runs(2)] == [28, 27]
    assert len(aws.named("get_object")) == 12
    assert before.runs(1) == before.runs(2)[:1]
    assert len(before.runs()) == 28
    assert before.present("/lyo/app") == (None, "")
    assert len(aws.named("get_object")) == 28
