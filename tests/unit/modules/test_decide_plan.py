from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_release import decide_plan as p
from ansible.module_utils.lyo_release.decide_deploy import Live

LIVE = Live(exists=True, desired=2)
SAME = Live(exists=True, desired=2, matches=True)
BUSY = {"deployment": "arn:d", "deployment_name": "v9"}
OTHER = Live(exists=True, desired=2, deployment_status="IN_PROGRESS", **BUSY)


def facts(**changes: Any) -> p.Facts:
    values: dict[str, Any] = {
        "has_outputs": True,
        "infra_reason": "",
        "image_exists": True,
        "same_image": False,
        "live": LIVE,
        "release": "v2",
    }
    return p.Facts(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, "migrate deploy verify"),
        ({"image_exists": False}, "image migrate deploy verify"),
        ({"same_image": True}, "deploy verify"),
        ({"live": SAME}, ""),
        ({"live": SAME, "same_image": True}, ""),
        ({"live": SAME, "infra_reason": "changed"}, "infra verify"),
        ({"live": SAME, "dashboard_reason": "index.html differs"}, "dashboard verify"),
        ({"live": SAME, "webhooks_reason": "the URL was another"}, "webhooks"),
        ({"webhooks_reason": "the URL was another"}, "migrate deploy verify webhooks"),
        ({"dashboard_reason": "index.html differs"}, "migrate deploy dashboard verify"),
        ({"infra_reason": "changed"}, "infra migrate deploy verify"),
        ({"live": Live(exists=True, desired=0)}, "migrate deploy verify"),
        ({"live": Live(exists=True, desired=0, matches=True)}, "deploy verify"),
        ({"has_outputs": False}, "infra image migrate deploy verify"),
        ({"has_outputs": False, "image_exists": False}, "infra image migrate deploy verify"),
        ({"live": Live(exists=False)}, "infra migrate deploy verify"),
        (
            {"live": Live(exists=False), "image_exists": False, "infra_reason": "x"},
            "infra image migrate deploy verify",
        ),
        (
            {
                "live": Live(
                    exists=True,
                    deployment_status="IN_PROGRESS",
                    deployment_matches=True,
                    **BUSY,
                )
            },
            "watch verify",
        ),
        (
            {"live": Live(exists=True, deployment_status="ROLLBACK_IN_PROGRESS", **BUSY)},
            "migrate deploy verify",
        ),
    ],
)
def test_steps(changes: dict[str, Any], steps: str) -> None:
    plan = p.steps(facts(**changes), "refuse")
    assert " ".join(plan.steps) == steps
    assert plan.reasons
    assert not plan.refusal


def test_another_deployment_is_refused_or_waited_for() -> None:
    refused = p.steps(facts(live=OTHER, infra_reason="changed"), "refuse")
    assert refused.steps == []
    assert "v9" in refused.refusal
    waited = p.steps(facts(live=OTHER), "wait")
    assert waited.steps == ["migrate", "deploy", "verify"]
    assert not waited.refusal


def test_what_the_schema_no_longer_serves_is_refused_before_anything() -> None:
    plan = p.steps(facts(schema_refusal="contracted", infra_reason="changed"), "refuse")
    assert (plan.refusal, plan.steps) == ("contracted", [])
    assert "contracted" in plan.reasons
    # What is live needs no permission.
    assert not p.steps(facts(live=SAME, schema_refusal="contracted"), "refuse").refusal


def test_what_was_forced_is_said() -> None:
    plan = p.steps(facts(schema_remark="forced by name"), "refuse")
    assert plan.steps == ["migrate", "deploy", "verify"]
    assert "forced by name" in plan.reasons


@pytest.mark.parametrize(
    ("asked", "live", "default", "known", "release"),
    [
        ("v2", "v1", "v0", ["v1", "v2"], "v2"),
        (None, "v1", "v0", ["v1", "v2"], "v1"),
        (None, "v1", "v0", [], "v1"),
        (None, "gone", "v0", ["v0"], "v0"),
        (None, "", "v0", [], "v0"),
    ],
)
def test_wanted_release(
    asked: str | None, live: str, default: str, known: list[str], release: str
) -> None:
    assert p.wanted_release(asked, live, default, known) == release


def test_no_release_to_take_is_said_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"-e release=<name>, one of v1, v2"):
        p.wanted_release(None, "", None, ["v1", "v2"])
