"""The module schema_migration against a scripted task."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible.module_utils.lyo_migration import run as module_code
from ansible.module_utils.lyo_progress import Progress

from .fakes import AWS, IMAGE_1, OUTPUTS, TASK, Clock, Ended, FakeAws, FakeModule, failure

SAFE = "BEGIN;\nALTER TABLE bookings ADD COLUMN a int;\nCOMMIT;\n"
DROP = "BEGIN;\nALTER TABLE bookings DROP COLUMN a;\nCOMMIT;\n"
TABLE = {"event": "table", "name": "bookings", "bytes": 10, "total_bytes": 20, "rows": 5, "columns": {}}  # fmt: skip
BLOCKER = {"pid": 7, "application": "report", "state": "idle in transaction", "query": "SELECT ?"}


def line(event: str, **members: Any) -> str:
    return "lyo.migrate: " + json.dumps({"event": event, **members})


def schema(revision: str) -> str:
    said = {"revision": revision, "serves": [revision], "contracted": ["0001"]}
    return "lyo.schema: " + json.dumps(said)


def planned(sql: str = SAFE, kind: str = "expand", **more: Any) -> list[str]:
    after = {"revision": "0003", "serves": ["0002", "0003"], "contracted": ["0001"]}
    head = {"digest": "d1", "count": 1, "facts": 1, "current": "0002", "target": "0003", "server": "18.6", "after": after}  # fmt: skip
    return [
        "migrate: pending 0003 a change",
        line("migration", revision="0003", title="a change", kind=kind, allow={}),
        line("sql", revision="0003", part=1, parts=2, text=sql[:20]),
        line("sql", revision="0003", part=2, parts=2, text=sql[20:]),
        "lyo.migrate: " + json.dumps(TABLE),
        line("plan", **{**head, **more}),
        schema("0002"),
    ]


NOTHING: tuple[int, list[str]] = (0, [line("plan", digest="nothing", count=0), schema("0003")])
DONE: tuple[int, list[str]] = (0, [line("step", revision="0003", title="t", number=1, of=1), schema("0003")])  # fmt: skip


class Tasks:
    """One-off tasks that say and end as the script has it, in order."""

    def __init__(self, *script: tuple[int | None, list[str]], running: bool = False) -> None:
        self.script = list(script)
        self.commands: list[list[str]] = []
        self.number = 0 if running else -1
        self.running = running
        self.definition: dict[str, Any] = {}

    def aws(self, **more: Any) -> FakeAws:
        answers: dict[str, Any] = {
            "describe_task_definition": lambda _: self._described(),
            "register_task_definition": self._register,
            "list_tasks": lambda p: {
                "taskArns": ["arn:task/lyo/0"] if self.running and "family" in p else []
            },
            "run_task": self._run,
            "describe_tasks": lambda _: {"tasks": [self._task()]},
            "get_log_events": self._log,
        }
        return FakeAws(**{**answers, **more})

    def _described(self) -> Any:
        if self.running and not self.definition:
            self._register(dict(json.loads(json.dumps(WANTED))))
        return (
            {"taskDefinition": self.definition} if self.definition else failure("ClientException")
        )

    def _register(self, params: dict[str, Any]) -> dict[str, Any]:
        self.definition = {**params, "taskDefinitionArn": "arn:definition:1"}
        return {"taskDefinition": self.definition}

    def _run(self, _: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        self.commands.append(self.definition["containerDefinitions"][0]["command"])
        return {"tasks": [{"taskArn": f"arn:task/lyo/{self.number}"}]}

    def _task(self) -> dict[str, Any]:
        code = self.script[self.number][0]
        status = "RUNNING" if code is None else "STOPPED"
        return {
            "taskArn": f"arn:task/lyo/{self.number}",
            "taskDefinitionArn": "arn:definition:1",
            "lastStatus": status,
            "containers": [{"name": "app", **({} if code is None else {"exitCode": code})}],
        }

    def _log(self, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("nextToken"):
            return {"events": [], "nextForwardToken": params["nextToken"]}
        lines = self.script[self.number][1]
        return {"events": [{"message": text} for text in lines], "nextForwardToken": "end"}


WANTED: dict[str, Any] = {
    "family": "lyo-migrate",
    "containerDefinitions": [
        {
            "name": "app",
            "image": IMAGE_1,
            "command": ["migrate", "--approve", "d0"],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/lyo/app",
                    "awslogs-region": "eu-south-1",
                    "awslogs-stream-prefix": "migrate",
                },
            },
        }
    ],
}
PARAMS: dict[str, Any] = {
    "aws": AWS,
    "outputs": {**OUTPUTS, "database": {"identifier": "lyo"}},
    "image": IMAGE_1,
    "release": "v3",
    "command": ["migrate", "--seed", "f"],
    "reports": True,
    "contract": "",
    "plan": "none",
    "task": TASK,
    "timeouts": {"lock_timeout": "1s", "statement_timeout": "30min"},
    "attempts": 7,
    "limits": {},
    "keep": 1,
    "ledger": None,
    "snapshot_timeout": 60,
    "timeout": 60,
}


def run(aws: FakeAws, *, check_mode: bool = False, **changes: Any) -> Ended:
    params = {**PARAMS, **changes}
    clock = Clock()
    migrator = module_code.Migrator(aws, Progress("test"), params, clock.sleep, clock)
    with pytest.raises(Ended) as caught:
        module_code.finish(FakeModule(params, check_mode), migrator)
    return caught.value


def test_where_nothing_is_pending_one_task_is_all() -> None:
    tasks = Tasks(NOTHING)
    aws = tasks.aws()
    done = run(aws)
    assert not done.failed
    assert not done.answer["changed"]
    assert tasks.commands == [["migrate", "--seed", "f", "--approve", "nothing"]]
    assert aws.written == ["register_task_definition", "run_task"]
    assert done.answer["record"] == {
        "schema": "0003",
        "schema_serves": ["0003"],
        "schema_contracted": ["0001"],
    }


def test_every_statement_is_held_to_the_inventorys_time_outs() -> None:
    tasks = Tasks(NOTHING)
    run(tasks.aws())
    environment = {
        e["name"]: e["value"] for e in tasks.definition["containerDefinitions"][0]["environment"]
    }
    assert environment["PGOPTIONS"] == "-c lock_timeout=1s -c statement_timeout=30min"
    assert environment["LYO_MIGRATION_ATTEMPTS"] == "7"
    assert environment["A"] == "b"


def test_what_is_pending_is_run_as_it_was_checked() -> None:
    tasks = Tasks((3, planned()), DONE)
    done = run(tasks.aws())
    assert not done.failed, done.answer
    assert done.answer["applied"] == ["0003"]
    assert done.answer["snapshot"] == ""
    assert [command[-1] for command in tasks.commands] == ["nothing", "d1"]
    assert any("ADD COLUMN a int" in text for text in done.answer["lyo_summary"]["report"])


@pytest.mark.parametrize(
    ("sql", "more", "said"),
    [
        ("BEGIN;\nCREATE INDEX i ON bookings (a);\nCOMMIT;\n", {}, "CREATE INDEX CONCURRENTLY"),
        (SAFE, {"problem": "0003 comes first"}, "0003 comes first"),
        (DROP, {}, "ban-drop-column"),
    ],
)
def test_a_dangerous_migration_is_stopped_before_it_runs(
    sql: str, more: dict[str, Any], said: str
) -> None:
    tasks = Tasks((3, planned(sql, **more)))
    done = run(tasks.aws())
    assert done.failed
    assert not done.answer["changed"]
    assert said in done.answer["msg"]
    assert len(tasks.commands) == 1


def test_an_empty_database_takes_everything() -> None:
    tasks = Tasks((3, planned(DROP, fresh=True)), DONE)
    done = run(tasks.aws())
    assert not done.failed, done.answer["msg"]
    assert done.answer["snapshot"] == ""


def snapshots(tasks: Tasks) -> dict[str, Any]:
    """RDS whose snapshots are complete at once, and that notes how many tasks had run by then."""

    def create(params: dict[str, Any]) -> dict[str, Any]:
        assert len(tasks.commands) == 1, "the snapshot comes before the change"
        return {"DBSnapshot": {**params, "Status": "available"}}

    return {"describe_db_snapshots": {"DBSnapshots": []}, "create_db_snapshot": create}


def contracting(tasks: Tasks, **more: Any) -> FakeAws:
    return tasks.aws(**snapshots(tasks), describe_services={"services": []}, **more)


def test_before_something_is_lost_a_snapshot_is_taken() -> None:
    tasks = Tasks((3, planned(DROP, "contract")), DONE)
    aws = contracting(tasks)
    done = run(aws, contract="0003")
    assert not done.failed, done.answer
    assert done.answer["snapshot"].startswith("lyo-migrate-d1-")
    assert [c[-2:] for c in tasks.commands] == [["--contract", "0003"]] * 2
    [request] = aws.named("create_db_snapshot")
    assert {"Key": "lyo:plan", "Value": "d1"} in request["Tags"]


def test_a_repeated_run_counts_on_the_snapshot_it_has() -> None:
    tasks = Tasks((3, planned(DROP, "contract")), DONE)
    made = {
        "DBSnapshotIdentifier": "lyo-migrate-d1-20261127",
        "Status": "available",
        "SnapshotCreateTime": datetime.now(UTC),
    }
    aws = tasks.aws(
        describe_db_snapshots={"DBSnapshots": [made]}, describe_services={"services": []}
    )
    done = run(aws, contract="0003")
    assert done.answer["snapshot"] == "lyo-migrate-d1-20261127"
    assert "create_db_snapshot" not in aws.written


def test_a_release_that_needs_the_old_schema_stops_a_contraction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = module_code.contraction.Target("v1", "can be rolled back to", ("0001",))
    monkeypatch.setattr(module_code.targets, "read", lambda *_: [target])
    tasks = Tasks((3, planned(DROP, "contract")))
    aws = contracting(tasks)
    done = run(aws, contract="0003")
    assert done.failed
    assert "v1 can be rolled back to and runs on 0001" in done.answer["msg"]
    assert "create_db_snapshot" not in aws.written
    assert len(tasks.commands) == 1


def test_whoever_holds_the_lock_is_named() -> None:
    failed = [line("failed", reason="canceling statement due to lock timeout", sqlstate="55P03", blockers=[BLOCKER], left=["i"]), schema("0002")]  # fmt: skip
    done = run(Tasks((3, planned()), (4, failed)).aws())
    assert done.failed
    assert done.answer["exit_code"] == 4
    assert "no lock after 7 attempts" in done.answer["msg"]
    assert "in the way: pid 7 (report), idle in transaction, SELECT ?" in done.answer["msg"]
    assert "DROP INDEX CONCURRENTLY i;" in done.answer["msg"]
    assert "the schema is at 0002" in done.answer["msg"]
    assert done.answer["record"]["schema"] == "0002"


def test_another_failure_says_why_and_shows_the_log() -> None:
    failed = ["migrate: working", line("failed", reason="disk full", sqlstate="53100"), schema("0002")]  # fmt: skip
    done = run(Tasks((3, planned()), (1, failed)).aws())
    assert done.answer["reasons"] == ["disk full", "the schema is at 0002"]
    assert "log: migrate: working" in done.answer["msg"]


def test_a_plan_that_changed_meanwhile_is_not_run() -> None:
    done = run(Tasks((3, planned()), (3, [schema("0002")])).aws())
    assert done.failed
    assert "changed while it was checked" in done.answer["msg"]


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_a_plan_of_which_a_part_is_missing_is_not_run(lost: int) -> None:
    said = planned()
    del said[lost]
    done = run(Tasks((3, said)).aws())
    assert done.failed
    assert "missing in the task's log" in done.answer["msg"]


def test_the_task_of_an_interrupted_run_is_followed_first() -> None:
    tasks = Tasks(DONE, NOTHING, running=True)
    done = run(tasks.aws())
    assert not done.failed
    assert len(tasks.commands) == 1
    assert done.answer["changed"]
    assert "followed to its end" in done.answer["notes"][0]


def test_a_task_that_takes_too_long_goes_on_and_is_told() -> None:
    done = run(Tasks((3, planned()), (None, [])).aws())
    assert done.failed
    assert "still runs after 60 s" in done.answer["msg"]
    assert done.answer["verdict"] == done.answer["lyo_summary"]["verdict"] == "STILL_RUNNING"
    assert done.answer["changed"]


def test_a_tool_that_reports_nothing_is_run_as_it_is() -> None:
    tasks = Tasks((0, ["Successfully applied 2 migrations"]))
    done = run(tasks.aws(), reports=False)
    assert not done.failed
    assert tasks.commands == [["migrate", "--seed", "f"]]
    assert done.answer["log"] == ["Successfully applied 2 migrations"]


def test_check_mode_calls_nobody() -> None:
    aws = Tasks().aws()
    done = run(aws, check_mode=True)
    assert done.answer["changed"]
    assert "-e plan=task" in done.answer["reasons"][0]
    assert aws.calls == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_plan_is_shown_by_a_task_that_only_reads(check_mode: bool) -> None:
    tasks = Tasks((3, planned()))
    done = run(tasks.aws(), check_mode=check_mode, plan="task")
    assert not done.failed
    assert [command[-1] for command in tasks.commands] == ["--plan"]
    assert done.answer["changed"] is check_mode
    assert "ADD COLUMN a int" in done.answer["diff"]["after"]


def test_an_image_that_does_not_exist_yet_cannot_be_asked() -> None:
    done = run(Tasks().aws(), check_mode=True, plan="task", image="repository:v3-0123")
    assert done.failed
    assert "is not in the repository yet" in done.answer["msg"]


def test_free_storage_is_cloudwatchs_newest_point() -> None:
    index = "DROP INDEX CONCURRENTLY IF EXISTS i;\nCREATE INDEX CONCURRENTLY i ON bookings (a);\n"
    point: Callable[[int, int], dict[str, Any]] = lambda minute, free: {  # noqa: E731
        "Timestamp": datetime(2026, 11, 27, 10, minute, tzinfo=UTC),
        "Minimum": float(free),
    }
    large = json.dumps({**TABLE, "bytes": 10**9, "total_bytes": 10**9})
    said = ["lyo.migrate: " + large if '"table"' in text else text for text in planned(index)]
    aws = Tasks((3, said)).aws(
        describe_db_instances={"DBInstances": [{"AllocatedStorage": 20}]},
        get_metric_statistics={"Datapoints": [point(1, 10**10), point(3, 1024), point(2, 10**10)]},
    )
    done = run(aws)
    assert done.failed
    assert "too little storage" in done.answer["msg"]
    [request] = aws.named("get_metric_statistics")
    assert request["MetricName"] == "FreeStorageSpace"
