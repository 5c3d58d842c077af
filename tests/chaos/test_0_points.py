"""Points and rows are made from recorded calls, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

from localcloud.recorder import RecordedCall
from tests.chaos import points
from tests.chaos.points import AFTER, BEFORE, CONTROLLER, TREE, Point
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
        resource=f"bucket/{key}",
        **more,  # type: ignore[arg-type]
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
        "ecs:RegisterTaskDefinition lyo 2",
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


def test_some_rows_are_each_kind_of_call_once() -> None:
    found = points_of(RUN)
    rows = points.some_rows(found)
    assert [row.point for row in rows] == [
        p for p in found if str(p) != "ecr:UploadLayerPart lyo 2"
    ]
    assert len({(row.when, row.victim) for row in rows}) == 4


def test_a_run_that_finds_the_definition_of_before_registers_the_next_one_first() -> None:
    found = {str(point): point for point in points_of(RUN)}
    assert found["ecs:RegisterTaskDefinition lyo 2"].next().nth == 1
    assert found["s3:PutObject /ledger/ 2"].next().nth == 2


def test_a_run_without_a_lock_has_points_too() -> None:
    assert [str(point) for point in points_of([CALL])] == ["ecs:UpdateService lyo"]
