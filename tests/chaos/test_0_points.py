"""Points and rows are made from recorded calls, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.faults import RESOURCE, Rule
from localcloud.recorder import RecordedCall
from tests.chaos import points
from tests.chaos.points import AFTER, BEFORE, CONTROLLER, EVERYBODY, TASK, TREE, Point
from tests.chaos.points import points as points_of

CALL = RecordedCall(
    "2026-11-27T09:00:00+00:00",
    "ecs",
    "UpdateService",
    "write",
    200,
    None,
    "r",
    "lyo",
    1.0,
    "i",
    "u",
)


def s3(operation: str, key: str, **more: object) -> RecordedCall:
    return replace(
        CALL,
        service="s3",
        operation=operation,
        **{"resource": f"bucket/{key}", **more},  # type: ignore[arg-type]
    )


def lock() -> RecordedCall:
    return s3("PutObject", "lyo.lock.json")


RUN = [
    lock(),
    s3("PutObject", "ledger/2026-11/a.json"),
    replace(CALL, operation="DescribeServices", kind="read"),
    replace(CALL, service="ecr", operation="UploadLayerPart", resource="lyo"),
    lock(),
    replace(CALL, service="ecr", operation="UploadLayerPart", resource="lyo"),
    replace(CALL, operation="RegisterTaskDefinition", resource="lyo-migrate"),
    replace(CALL, operation="RegisterTaskDefinition", resource="lyo"),
    replace(CALL, operation="RunTask", error="ThrottlingException", status=400),
    CALL,
    s3("PutObject", "ledger/2026-11/a.json"),
    lock(),
    lock(),
]


def test_every_write_that_took_effect_is_a_point() -> None:
    names = [str(point) for point in points_of(RUN)]
    assert names == [
        "s3:PutObject /lyo.lock.jsonstate=held",
        "s3:PutObject /ledger/",
        "ecr:UploadLayerPart lyo",
        "ecr:UploadLayerPart lyo 2",
        "ecs:RegisterTaskDefinition lyo-migrate",
        "ecs:RegisterTaskDefinition lyo",
        "ecs:UpdateService lyo",
        "s3:PutObject /ledger/ 2",
        "s3:PutObject /lyo.lock.jsonstate=held 2",
        "s3:PutObject /lyo.lock.jsonstate=free",
    ]


def test_a_call_that_is_new_is_in_the_table_at_once() -> None:
    new = replace(CALL, service="sns", operation="Publish", resource="arn:aws:sns:x")
    added = set(points_of([*RUN, new])) - set(points_of(RUN))
    assert added == {Point("sns", "Publish")}


def test_all_rows_are_both_sides_of_every_point_with_both_victims() -> None:
    found = points_of(RUN)
    rows = points.every_row(found)
    assert {(row.point, row.when) for row in rows} == {
        (p, w) for p in found for w in (BEFORE, AFTER)
    }
    assert {(row.when, row.victim) for row in rows} == {
        (w, v) for w in (BEFORE, AFTER) for v in (CONTROLLER, TREE)
    }
    # In a chain, what was done is not done again.
    assert [row.when for row in rows] == [BEFORE, AFTER] * len(found)


def test_some_rows_are_each_kind_of_call_once() -> None:
    found = points_of(RUN)
    rows = points.some_rows(found)
    assert [row.point for row in rows] == [
        p for p in found if str(p) != "ecr:UploadLayerPart lyo 2"
    ]
    assert len({(row.when, row.victim) for row in rows}) == 4


def test_a_run_that_finds_what_came_before_makes_the_call_as_its_first() -> None:
    found = {str(point): point for point in points_of(RUN)}
    assert found["ecr:UploadLayerPart lyo 2"].next().nth == 1
    assert found["s3:PutObject /ledger/ 2"].next().nth == 2


def test_a_record_is_complete_from_its_second_write_on() -> None:
    ends = [str(row) for row in points.every_row(points_of(RUN)) if row.completed]
    assert ends == [
        "controller killed after s3:PutObject /ledger/ 2",
        "tree killed before s3:PutObject /lyo.lock.jsonstate=free",
        "controller killed after s3:PutObject /lyo.lock.jsonstate=free",
    ]


def test_nobody_stays_beside_a_run_that_is_only_beginning() -> None:
    rows = [row for row in points.every_row(points_of(RUN)) if row.victim == CONTROLLER]
    assert [str(row) for row in rows if row.dead] == [
        "controller killed before s3:PutObject /lyo.lock.jsonstate=held",
        "controller killed after s3:PutObject /ledger/",
    ]


def test_a_run_without_a_lock_has_points_too() -> None:
    assert [str(point) for point in points_of([CALL])] == ["ecs:UpdateService lyo"]


TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.13"
PROGRAM = "Botocore/1.44.5 lyo-ops lyo-backup/1"
MODULES = "Botocore/1.44.5 lyo-ops"


def meets(point: Point, call: RecordedCall, environ: dict[str, str] | None = None) -> bool:
    """Whether the point's rule meets a call."""
    rule = Rule(**point.rule(BEFORE))
    about = {"HTTP_USER_AGENT": call.user_agent, RESOURCE: call.resource, **(environ or {})}
    return rule.meets(call.service, call.operation, call.kind, about)


def test_calls_of_the_task_and_of_terraform_are_told_from_the_runbooks_own() -> None:
    calls = [
        replace(CALL, operation="PutX", resource="a", user_agent=agent)
        for agent in (MODULES, PROGRAM, TERRAFORM)
    ]
    found = points_of(calls)
    assert [str(point) for point in found] == [
        "ecs:PutX a", "the task's ecs:PutX a", "Terraform's ecs:PutX a",
    ]  # fmt: skip
    assert [[meets(point, call) for call in calls] for point in found] == [
        [True, False, False], [False, True, False], [False, False, True],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [
        (
            "lyo-local-backup-20261127t162639z-fe86e80d",
            "lyo-local-backup-20261128t000001z-00000001",
            "lyo-local",
        ),
        ("lyo-local-scratch-fe86e80d-f5f0", "lyo-local-scratch-00000001-0000", "lyo-local"),
        ("lyo-local-r20261127162701", "lyo-local-r20261128000001", "lyo-local"),
        (
            "lyo-local-migrate-0123456789ab-20261127162701",
            "lyo-local-migrate-ba9876543210-20261128000001",
            "lyo-local-migrate",
        ),
        (
            "arn:aws:ecs:eu-south-1:1:task-definition/lyo-ops-verify:1",
            "arn:aws:ecs:eu-south-1:1:task-definition/lyo-ops-verify:12",
            "arn:aws:ecs:eu-south-1:1:task-definition/lyo-ops-backup:1",
        ),
        (
            "/aws/rds/instance/lyo-local-r20261127162701/upgrade",
            "/aws/rds/instance/lyo-local-r20261128000001/upgrade",
            "/aws/rds/instance/lyo-local-r20261128000001/postgresql",
        ),
    ],
)
def test_a_point_is_found_again_under_the_names_of_another_run(
    first: str, second: str, other: str
) -> None:
    (point,) = points_of([replace(CALL, resource=first, user_agent=MODULES)])
    for resource, found in ((first, True), (second, True), (other, False)):
        assert meets(point, replace(CALL, resource=resource, user_agent=MODULES)) is found


def test_the_parts_of_a_backup_are_alike_and_the_copy_is_another() -> None:
    folder = "logical/20261127T162639Z-fe86e80d"
    found = points_of(
        [
            s3("PutObject", f"{folder}/parts/0001-pre-data.dump.zst", user_agent=PROGRAM),
            s3("PutObject", f"{folder}/parts/0002-post-data.dump.zst", user_agent=PROGRAM),
            s3("PutObject", f"{folder}/manifest.json", user_agent=PROGRAM),
        ]
    )
    assert [(point.what, point.nth) for point in found[:2]] == [
        (found[0].what, 1),
        (found[0].what, 2),
    ]
    assert len(points.each_kind(found)) == 2
    tomorrow = "/bucket/logical/20261128T000001Z-00000001"
    call = replace(CALL, service="s3", operation="PutObject", user_agent=PROGRAM)
    for path, met in (
        (f"{tomorrow}/parts/0007-rest.dump.zst", [True, True, False]),
        (f"{tomorrow}/manifest.json", [False, False, True]),
        (f"{tomorrow.replace('bucket', 'copies')}/manifest.json", [False, False, False]),
    ):
        assert [meets(point, call, {"PATH_INFO": path}) for point in found] == met


def test_what_is_deleted_at_once_is_told_by_its_bucket() -> None:
    (point,) = points_of([s3("DeleteObjects", "", resource="bucket", user_agent=MODULES)])
    call = replace(CALL, service="s3", operation="DeleteObjects", user_agent=MODULES)
    assert meets(point, call, {"PATH_INFO": "/bucket"})
    assert not meets(point, call, {"PATH_INFO": "/bucket/key"})


def test_a_task_dies_alone_and_with_its_run_and_outlives_it() -> None:
    found = [Point("s3", "PutObject", f"/{n}", caller=points.PROGRAM) for n in range(4)]
    assert {(row.when, row.victim) for row in points.some_rows(found)} == {
        (AFTER, TASK), (BEFORE, EVERYBODY), (BEFORE, TREE), (AFTER, EVERYBODY),
    }  # fmt: skip
    assert {(row.point, row.when) for row in points.every_row(found)} == {
        (p, w) for p in found for w in (BEFORE, AFTER)
    }


def test_terraform_resumes_one_way_whatever_it_was_making() -> None:
    found = points_of(
        [
            replace(CALL, operation="CreateA", resource="a", user_agent=TERRAFORM),
            replace(CALL, operation="CreateB", resource="b", user_agent=TERRAFORM),
            s3("PutObject", "lyo.tfstate", user_agent=TERRAFORM),
        ]
    )
    assert points.each_kind(found) == [found[0], found[2]]
    assert len(points.every_row(found)) == 6
