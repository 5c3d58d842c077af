"""What a deploy would change, part by part."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from ansible.module_utils.lyo_release import comparison as c
from ansible.module_utils.lyo_release import live, request, task_definition

from filter_plugins.lyo_difference import lyo_difference

from .fakes import AWS, DIGEST_1, IMAGE_1, IMAGE_2, OUTPUTS, STRATEGY, TASK, FakeAws, failure
from .world import definition


def service(**changes: Any) -> dict[str, Any]:
    """A live service with the wanted configuration, and with what AWS adds to it."""
    wanted = request.update_service(OUTPUTS, STRATEGY, "arn:1", None)
    configuration = {**wanted["deploymentConfiguration"], "hookTargetArn": "added by AWS"}
    # ECS has swapped the groups.
    balancer = wanted["loadBalancers"][0]
    advanced = {**balancer["advancedConfiguration"], "alternateTargetGroupArn": "arn:blue"}
    swapped = {**balancer, "targetGroupArn": "arn:green", "advancedConfiguration": advanced}
    return {
        "desiredCount": 4,
        "status": "ACTIVE",
        "deploymentConfiguration": configuration | changes,
        "loadBalancers": [swapped],
    }


def test_equal_values_are_no_part() -> None:
    assert c.entry("x", {"a": 1}, {"a": 1}) is None
    part = c.entry("x", {"a": 1}, {"a": 2})
    assert part is not None
    assert part["lines"] == ["--- x (live)", "+++ x (wanted)", "@@ -1 +1 @@", "-a: 1", "+a: 2"]


def test_a_service_differs_only_in_what_a_release_would_set() -> None:
    assert c.of_service(OUTPUTS, STRATEGY, service()) is None
    part = c.of_service(OUTPUTS, STRATEGY, service(bakeTimeInMinutes=1))
    assert part is not None
    changed = [line for line in part["lines"] if line[:1] in "+-" and line[1:2] == " "]
    assert changed == ["-  bakeTimeInMinutes: 1", "+  bakeTimeInMinutes: 5"]


def test_the_number_of_tasks_is_no_difference_unless_there_is_none() -> None:
    stopped = {**service(), "desiredCount": 0}
    part = c.of_service(OUTPUTS, STRATEGY, stopped)
    assert part is not None
    assert "+desiredCount: 2" in part["lines"]


def test_a_hook_that_is_missing_is_seen() -> None:
    part = c.of_service(OUTPUTS, STRATEGY, service(lifecycleHooks=[]))
    assert part is not None
    assert any("POST_TEST_TRAFFIC_SHIFT" in line for line in part["lines"])


def test_images_are_told_apart_by_digest_tags_and_labels() -> None:
    details = {
        "imageDigest": DIGEST_1,
        "imageTags": ["v1-b", "v1-a"],
        "imageSizeInBytes": 10_420_030,
        "imagePushedAt": datetime(2026, 11, 1, 9, 5, tzinfo=UTC),
    }
    assert c.image_facts(details, {"z": "1", "a": "2"}) == {
        "digest": DIGEST_1,
        "tags": ["v1-a", "v1-b"],
        "megabytes": 10.4,
        "pushed": "2026-11-01 09:05",
        "labels": {"a": "2", "z": "1"},
    }
    assert c.image_facts(None, {}) == {}


def test_an_image_that_is_gone_or_cannot_be_opened_is_told_by_its_digest() -> None:
    gone = FakeAws(describe_images=failure("ImageNotFoundException"))
    assert c.read_image(gone, IMAGE_1, None)["gone"]
    closed = FakeAws(
        describe_images={"imageDetails": [{"imageDigest": DIGEST_1}]},
        batch_get_image=failure("AccessDeniedException"),
    )
    assert c.read_image(closed, IMAGE_1, None)["digest"] == DIGEST_1


def planner(image: str, release: str, **state: Any) -> Any:
    known = {"arn:1": definition(1)}
    return SimpleNamespace(
        aws=FakeAws(
            describe_images=lambda p: {"imageDetails": [{"imageDigest": p["imageIds"][0]["imageDigest"]}]},
            batch_get_image=failure("AccessDeniedException"),
        ),
        state=live.State(**{"service": service(), "live": "arn:1", "definitions": known, **state}),
        params={"aws": AWS, "deployment": STRATEGY, "release": release},
        outputs=OUTPUTS,
        image=image,
        tag=f"{release}-new",
    )  # fmt: skip


def names(parts: list[dict[str, Any]]) -> list[str]:
    return [part["name"] for part in parts]


def test_what_is_live_already_has_no_part_and_reads_no_image() -> None:
    plan = planner(IMAGE_1, "v1")
    assert c.of_plan(plan, task_definition.render(OUTPUTS, TASK, IMAGE_1, "v1")) == []
    assert plan.aws.calls == []


def test_another_image_is_compared_and_one_to_be_built_is_told() -> None:
    parts = c.of_plan(planner(IMAGE_2, "v2"), task_definition.render(OUTPUTS, TASK, IMAGE_2, "v2"))
    assert names(parts) == ["task definition", "image"]
    assert f"-digest: {DIGEST_1}" in parts[1]["lines"]
    parts = c.of_plan(planner("", "v2"), task_definition.render(OUTPUTS, TASK, "tag", "v2"))
    assert "+to be built: True" in parts[1]["lines"]


def test_before_there_is_a_service_all_of_the_definition_is_new() -> None:
    wanted = task_definition.render(OUTPUTS, TASK, IMAGE_1, "v1")
    parts = c.of_plan(planner(IMAGE_1, "v1", service=None), wanted)
    assert names(parts) == ["task definition"]
    assert c.of_plan(planner(IMAGE_1, "v1"), {}) == []


def test_lines_end_with_what_a_deploy_would_do() -> None:
    plan = {
        "steps": ["migrate", "deploy"],
        "reasons": ["migrate: the image is another one"],
        "comparison": [{"name": "image", "lines": ["-a", "+b"]}],
    }
    changes = [{"phase": "database", "action": "update", "address": "module.database.x"}]
    assert lyo_difference(plan, changes) == [
        *("-a", "+b", ""),
        *("infrastructure", "database: update module.database.x", ""),
        "a deploy would do: migrate, deploy",
        "  migrate: the image is another one",
    ]
    assert lyo_difference({"steps": [], "reasons": []}) == ["a deploy would do: nothing"]
