"""The lifecycle of an ECS service deployment: its states, its stages and their order.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
"""

from __future__ import annotations

STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
)
HOOK_STAGE = "POST_TEST_TRAFFIC_SHIFT"

FORWARD = frozenset({"PENDING", "IN_PROGRESS"})
TURNING_BACK = frozenset({"STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
ENDED = frozenset({"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})

_PERCENT = (2, 5, 15, 40, 45, 50, 55, 65, 75, 85, 95)
_WORDS = {
    "RECONCILE_SERVICE": "preparing",
    "PRE_SCALE_UP": "before the new tasks start",
    "SCALE_UP": "starting the new tasks",
    "POST_SCALE_UP": "new tasks are healthy",
    "TEST_TRAFFIC_SHIFT": "test traffic moves to the new tasks",
    "POST_TEST_TRAFFIC_SHIFT": "test traffic is on the new tasks",
    "PRE_PRODUCTION_TRAFFIC_SHIFT": "before production traffic moves",
    "PRODUCTION_TRAFFIC_SHIFT": "production traffic moves to the new tasks",
    "POST_PRODUCTION_TRAFFIC_SHIFT": "production traffic is on the new tasks",
    "BAKE_TIME": "baking: both run, the old tasks can take over at once",
    "CLEAN_UP": "stopping the old tasks",
}


def position(stage: str, previous: float = -1.0) -> float:
    """Return where ``stage`` is in the order.

    :param previous: position of the stage seen before. A stage that is not known lies between it
        and the next one, so that a stage AWS adds later does not confuse a run.
    """
    if stage in STAGES:
        return float(STAGES.index(stage))
    return previous if previous != int(previous) else previous + 0.5


def before(here: float, stage: str) -> bool:
    """Tell whether position ``here`` is before the known ``stage``."""
    return here < STAGES.index(stage)


def holds_test_traffic(here: float) -> bool:
    """Tell whether only test traffic is on the new revision: the time for the smoke checks."""
    return STAGES.index("TEST_TRAFFIC_SHIFT") <= here < STAGES.index("PRODUCTION_TRAFFIC_SHIFT")


def percent(here: float) -> int:
    """Return the progress at a position, 0 to 100, for display only."""
    if here < 0:
        return 0
    low = int(here)
    if low == here or low + 1 >= len(_PERCENT):
        return _PERCENT[low]
    return (_PERCENT[low] + _PERCENT[low + 1]) // 2


def words(stage: str) -> str:
    """Return what happens in a stage, for people."""
    return _WORDS.get(stage, stage.replace("_", " ").lower())
