from __future__ import annotations

import botocore.session
import pytest
from ansible.module_utils.lyo_release import stages


def ecs_enum(shape: str) -> set[str]:
    model = botocore.session.get_session().get_service_model("ecs")
    return set(model.shape_for(shape).enum)


def test_every_stage_and_status_of_the_api_is_known() -> None:
    assert ecs_enum("ServiceDeploymentLifecycleStage") <= set(stages.STAGES)
    assert ecs_enum("DeploymentLifecycleHookStage") <= set(stages.STAGES)
    known = stages.FORWARD | stages.TURNING_BACK | stages.ENDED
    assert ecs_enum("ServiceDeploymentStatus") == known


def test_stages_are_in_order() -> None:
    positions = [stages.position(stage) for stage in stages.STAGES]
    assert positions == sorted(set(positions))


def test_an_unknown_stage_lies_after_the_one_before_it() -> None:
    here = stages.position("BRAND_NEW", stages.position("SCALE_UP"))
    assert stages.position("SCALE_UP") < here < stages.position("POST_SCALE_UP")
    # Another unknown one does not pass the next known stage either.
    assert stages.position("NEWER_STILL", here) == here
    assert stages.before(here, "POST_SCALE_UP")
    assert not stages.before(here, "SCALE_UP")


@pytest.mark.parametrize(
    ("stage", "test_only"),
    [
        ("POST_SCALE_UP", False),
        ("TEST_TRAFFIC_SHIFT", True),
        ("POST_TEST_TRAFFIC_SHIFT", True),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", True),
        ("PRODUCTION_TRAFFIC_SHIFT", False),
        ("BAKE_TIME", False),
    ],
)
def test_where_only_test_traffic_is_on_the_new_revision(stage: str, test_only: bool) -> None:
    assert stages.holds_test_traffic(stages.position(stage)) is test_only


def test_percent_grows() -> None:
    shown = [stages.percent(position / 2) for position in range(-2, 2 * len(stages.STAGES))]
    assert shown == sorted(shown)
    assert shown[0] == 0
    assert shown[-1] <= 100


def test_words() -> None:
    assert "healthy" in stages.words("POST_SCALE_UP")
    assert stages.words("BRAND_NEW") == "brand new"
