"""Drift apart from configuration, and what a state says before everything goes."""

from __future__ import annotations

from typing import Any

import pytest

from module_utils.lyo_terraform import plan as decide
from module_utils.lyo_terraform import state
from module_utils.lyo_terraform.drift import drift_lines, pending_configuration
from module_utils.lyo_terraform.plan import PlanRefused

from .plan_documents import document, resource

GROUP = "module.application.aws_cloudwatch_log_group.application"


def pending(*resources: dict[str, Any], drifted: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    plan = decide.read(document(*resources, resource_drift=drifted))
    return [
        (change.address, [a.name for a in change.attributes])
        for change in pending_configuration(plan)
    ]


OUTSIDE = resource(GROUP, "update", before={"retention": 30}, after={"retention": 7})


def test_what_only_puts_drift_back_is_not_pending() -> None:
    back = resource(GROUP, "update", before={"retention": 7}, after={"retention": 30})
    assert pending(back, drifted=[OUTSIDE]) == []


def test_what_the_configuration_changes_besides_is_pending() -> None:
    both = resource(
        GROUP, "update", before={"retention": 7, "tags": 1}, after={"retention": 30, "tags": 2}
    )
    assert pending(both, drifted=[OUTSIDE]) == [(GROUP, ["tags"])]


def test_an_attribute_that_is_wanted_otherwise_than_before_is_both() -> None:
    other = resource(GROUP, "update", before={"retention": 7}, after={"retention": 90})
    assert pending(other, drifted=[OUTSIDE]) == [(GROUP, ["retention"])]


def test_what_was_deleted_outside_is_not_pending_and_what_is_new_is() -> None:
    gone = resource(GROUP, "delete", before={"retention": 30})
    new = resource("module.vpc.aws_vpc.this", "create")
    assert pending(resource(GROUP, "create"), new, drifted=[gone]) == [
        ("module.vpc.aws_vpc.this", [])
    ]


def test_what_follows_from_drift_is_not_pending() -> None:
    back = resource(GROUP, "update", before={"retention": 7}, after={"retention": 30})
    follows = resource("module.a.aws_iam_role_policy.p", "update", after_unknown={"policy": True})
    assert pending(back, follows, drifted=[OUTSIDE]) == []
    new = resource("module.vpc.aws_vpc.this", "create")
    assert len(pending(back, follows, new, drifted=[OUTSIDE])) == 2
    assert len(pending(follows, drifted=[])) == 1


def test_a_replacement_is_pending_whatever_drifted() -> None:
    replaced = resource(GROUP, "delete", "create", before={"retention": 7}, after={"retention": 30})
    assert pending(replaced, drifted=[OUTSIDE]) == [(GROUP, ["retention"])]


def test_drift_for_people() -> None:
    entry = {"address": GROUP, "attribute": "retention", "current": 7, "desired": 30}
    gone = {"address": GROUP, "attribute": "", "current": "deleted", "desired": "present"}
    long = {**entry, "current": "x" * 300}
    first, second, third = drift_lines([entry, gone, long])
    assert first == f"{GROUP} retention is 7, should be 30"
    assert second == f"{GROUP} is deleted, should be present"
    assert len(third) < 300


def state_of(**values: Any) -> dict[str, Any]:
    def entry(address: str, content: Any, mode: str = "managed") -> dict[str, Any]:
        parts = address.split(".")
        return {"address": address, "mode": mode, "type": parts[-2], "values": content}

    child = {
        "resources": [
            entry("module.a.aws_db_instance.this", {"deletion_protection": True}),
            entry("module.a.aws_lb.this", {"enable_deletion_protection": False}),
            entry("module.a.aws_s3_bucket.logs", {"force_destroy": False}),
            entry("module.a.aws_s3_bucket.read", {"force_destroy": False}, mode="data"),
        ],
        "child_modules": [
            {
                "resources": [
                    entry("module.a.module.b.aws_ecr_repository.r", {"force_delete": None}),
                    entry("module.a.module.b.aws_backup_vault.v", {"name": "v", **values}),
                ]
            }
        ],
    }
    return {"values": {"root_module": {"child_modules": [child]}}}


def test_protections_are_found_at_any_depth() -> None:
    found = state.resources(state_of())
    assert state.protected(found) == [
        ("module.a.aws_db_instance.this", "deletion_protection"),
        ("module.a.aws_s3_bucket.logs", "force_destroy"),
        ("module.a.module.b.aws_ecr_repository.r", "force_delete"),
    ]


def test_no_state_has_nothing() -> None:
    assert state.resources({"format_version": "1.0"}) == []


def test_a_vault_keeps_its_recovery_points_unless_it_was_told_otherwise() -> None:
    (vault,) = state.vaults(state.resources(state_of()))
    assert vault.address == "module.a.module.b.aws_backup_vault.v"
    assert state.vaults(state.resources(state_of(force_destroy=True))) == []


@pytest.mark.parametrize("actions", [["create"], ["delete"], ["delete", "create"]])
def test_lifting_protections_only_changes_what_stands(actions: list[str]) -> None:
    change = resource("module.a.aws_lb.this", "update")
    state.refuse_more_than_lifting(decide.read(document(change)))
    other = resource("module.a.aws_vpc.this", *actions)
    with pytest.raises(PlanRefused, match=r"module\.a\.aws_vpc\.this"):
        state.refuse_more_than_lifting(decide.read(document(change, other)))
