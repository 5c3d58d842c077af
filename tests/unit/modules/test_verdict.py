from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_release import verdict as v


def ending(**changes: Any) -> v.Ending:
    values: dict[str, Any] = {
        "status": "SUCCESSFUL",
        "stage": "CLEAN_UP",
        "production_weight": 100.0,
        "asked": "lyo:2",
        "target": "lyo:2",
        "live": "lyo:2",
    }
    return v.Ending(**{**values, **changes})


BAKING = {"status": "IN_PROGRESS", "stage": "BAKE_TIME", "live": "lyo:1"}


@pytest.mark.parametrize(
    ("changes", "wait_for", "word"),
    [
        ({}, "complete", v.DEPLOYED),
        ({"live": "lyo:3"}, "complete", v.FAILED),
        ({"target": "lyo:3"}, "complete", v.FAILED),
        ({"target": "lyo:3", "status": "IN_PROGRESS"}, "bake", v.FAILED),
        ({"status": "ROLLBACK_SUCCESSFUL", "live": "lyo:1"}, "complete", v.ROLLED_BACK),
        ({"status": "ROLLBACK_FAILED"}, "complete", v.FAILED),
        ({"status": "STOPPED"}, "complete", v.FAILED),
        ({"status": "IN_PROGRESS", "stage": "SCALE_UP"}, "complete", v.STILL_RUNNING),
        ({"status": "PENDING", "stage": ""}, "complete", v.STILL_RUNNING),
        ({"status": "ROLLBACK_IN_PROGRESS"}, "complete", v.STILL_RUNNING),
        ({"status": "ROLLBACK_IN_PROGRESS", "stage": "BAKE_TIME"}, "bake", v.STILL_RUNNING),
        (BAKING, "complete", v.STILL_RUNNING),
        (BAKING, "bake", v.DEPLOYED),
        ({**BAKING, "production_weight": 90.0}, "bake", v.STILL_RUNNING),
        ({**BAKING, "production_weight": None}, "bake", v.STILL_RUNNING),
        ({**BAKING, "stage": "CLEAN_UP"}, "bake", v.STILL_RUNNING),
    ],
)
def test_release(changes: dict[str, Any], wait_for: str, word: str) -> None:
    verdict, reason = v.of_release(ending(**changes), wait_for)
    assert verdict == word
    assert reason


@pytest.mark.parametrize(
    ("changes", "method", "word"),
    [
        ({"status": "ROLLBACK_SUCCESSFUL", "live": "lyo:1"}, "stop", v.ROLLED_BACK),
        ({"status": "SUCCESSFUL"}, "stop", v.FAILED),
        ({"status": "ROLLBACK_FAILED"}, "stop", v.FAILED),
        ({"status": "STOPPED"}, "stop", v.FAILED),
        ({"status": "ROLLBACK_IN_PROGRESS"}, "stop", v.STILL_RUNNING),
        ({}, "deploy", v.ROLLED_BACK),
        ({}, "adopt", v.ROLLED_BACK),
        ({"live": "lyo:9"}, "deploy", v.FAILED),
        ({"status": "ROLLBACK_SUCCESSFUL"}, "deploy", v.FAILED),
        ({"status": "IN_PROGRESS", "stage": "SCALE_UP"}, "deploy", v.STILL_RUNNING),
        (BAKING, "deploy", v.STILL_RUNNING),
    ],
)
def test_rollback(changes: dict[str, Any], method: str, word: str) -> None:
    verdict, reason = v.of_rollback(ending(**changes), method)
    assert verdict == word
    assert reason
