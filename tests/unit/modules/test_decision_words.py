"""What the decisions say to people, word for word: a verdict is worth what its reason says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible.module_utils.lyo_lock import decide as lock
from ansible.module_utils.lyo_release import decide_deploy as d
from ansible.module_utils.lyo_release import decide_plan as p
from ansible.module_utils.lyo_release import decide_rollback as r
from ansible.module_utils.lyo_release import schema, stages
from ansible.module_utils.lyo_release import verdict as v

from .test_decide_deploy import BAKING, LIMITS, RUNNING, live, seen
from .test_decide_plan import OTHER, facts
from .test_decide_rollback import ARN, BACK, GOOD, REVISIONS, history, revision
from .test_lock import BY_HAND, LIVING
from .test_verdict import ending

TURNING = {**RUNNING, "deployment_status": "STOP_REQUESTED"}


@pytest.mark.parametrize(
    ("state", "policy", "reason"),
    [
        (
            d.Live(exists=False),
            "refuse",
            "the service does not exist or is not active: run the infrastructure phases",
        ),
        (live(**TURNING), "refuse", "the deployment of v2 is just turning back"),
        (
            live(**RUNNING, deployment_matches=True),
            "refuse",
            "a deployment of this release is already in progress",
        ),
        (live(**RUNNING), "wait", "waiting for the deployment of v2"),
        (
            live(**RUNNING),
            "refuse",
            (
                "v2 is just being deployed (arn:d): wait for it (-e in_progress=wait) or turn it back "
                "with rollback.yml"
            ),
        ),
        (live(matches=True, desired=0), "refuse", "the release is live but has no tasks"),
        (live(matches=True), "refuse", "the release is live and carries all production traffic"),
        (live(), "refuse", "the live revision differs from what was asked for"),
    ],
)
def test_the_first_step(state: d.Live, policy: str, reason: str) -> None:
    assert d.first_step(state, policy)[1] == reason


@pytest.mark.parametrize(
    ("observation", "wait_for", "reason"),
    [
        (seen(), "complete", ""),
        (seen(status="STOPPED"), "complete", "STOPPED"),
        (seen(**BAKING), "bake", "all production traffic is on the new revision"),
        (seen(failed_tasks=3), "complete", "3 tasks of the new revision have failed"),
        (seen(elapsed=101), "complete", "the new revision is not healthy after 100 s"),
        (seen("CLEAN_UP", elapsed=1001), "complete", "not at its end after 1000 s"),
    ],
)
def test_the_next_step(observation: d.Observation, wait_for: str, reason: str) -> None:
    limits = replace(LIMITS, wait_for=wait_for)
    assert d.next_step(observation, limits, (), False)[1] == reason


def test_how_polling_slows_down() -> None:
    assert d.pause_after(0.2, changed=False) == pytest.approx(0.204)


AFTER = "deploy: v2, after the infrastructure exists"


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"has_outputs": False}, ["infra: there are no outputs yet", AFTER]),
        ({"has_outputs": False, "infra_reason": "x"}, ["infra: x", AFTER]),
        (
            {"live": d.Live(exists=False)},
            ["infra: the service does not exist or is not active", AFTER],
        ),
        ({"live": live(matches=True)}, ["release: v2 is live and carries all production traffic"]),
        (
            {"live": live(matches=True), "webhooks_reason": "the token is another one"},
            [
                "release: v2 is live and carries all production traffic",
                "webhooks: the token is another one",
            ],
        ),
        (
            {"live": live(**RUNNING, deployment_matches=True)},
            ["watch: a deployment of this release is already in progress"],
        ),
        (
            {"image_exists": False, "same_image": True, "dashboard_reason": "it differs"},
            [
                "image: v2 is not in the repository yet",
                "deploy: the live revision differs from what was asked for",
                "dashboard: it differs",
            ],
        ),
        (
            {},
            [
                "migrate: the image is another one, its migrations have to be applied",
                "deploy: the live revision differs from what was asked for",
            ],
        ),
        (
            {"live": live(matches=True, desired=0)},
            ["deploy: the release is live but has no tasks"],
        ),
    ],
)
def test_a_plan(changes: dict[str, object], reasons: list[str]) -> None:
    assert p.steps(facts(**changes), "refuse").reasons == reasons


def test_a_refused_plan() -> None:
    plan = p.steps(facts(live=OTHER), "refuse")
    assert plan.reasons == [plan.refusal]
    assert plan.refusal.startswith("v9 is just being deployed")


@pytest.mark.parametrize(
    ("known", "ending_"), [(["v1", "v2"], "-e release=<name>, one of v1, v2"), ([], "<name>")]
)
def test_no_release(known: list[str], ending_: str) -> None:
    with pytest.raises(ValueError) as caught:
        p.wanted_release(None, "", None, known)
    begun = "no release is live, and the inventory names none: run again with "
    assert str(caught.value).startswith(begun)
    assert str(caught.value).endswith(ending_)


@pytest.mark.parametrize(
    ("status", "target", "to", "returning", "reason"),
    [
        ("STOP_REQUESTED", 2, None, False, "the deployment is already turning back"),
        ("STOPPED", 2, None, False, "the deployment has ended as STOPPED"),
        ("", 2, "v2", False, "v2 (lyo:2) is just being deployed"),
        (
            "",
            2,
            "v9",
            False,
            (
                "a deployment is in progress; turning it back leads to v1 (lyo:1). Run rollback without "
                "a target first, then once more with -e to=v9"
            ),
        ),
        ("", 2, None, True, "a rollback is already in progress"),
        ("", 2, None, False, "a deployment is in progress: turning it back"),
    ],
)
def test_a_rollback_beside_a_deployment(
    status: str, target: int, to: str | None, returning: bool, reason: str
) -> None:
    step = r.in_progress_step(status, revision(target), revision(1), to, returning=returning)
    assert step[1] == reason


ELSEWHERE = "; to go elsewhere say -e to=<release>, one of "


@pytest.mark.parametrize(
    ("past", "current", "to", "reason"),
    [
        ([(GOOD, 1), (BACK, 2)], 1, None, "the last deployment was turned back already"),
        (
            [(GOOD, 1), (GOOD, 2), (GOOD, 1)],
            1,
            None,
            f"v2 (lyo:2) was rolled back already{ELSEWHERE}v2 (lyo:2)",
        ),
        (
            [(GOOD, 1), (GOOD, 2), (GOOD, 3), (BACK, 4)],
            3,
            None,
            f"the last deployment was turned back already{ELSEWHERE}v2 (lyo:2), v1 (lyo:1)",
        ),
        ([(GOOD, 1), (GOOD, 2)], 2, None, "going back to v1 (lyo:1)"),
        ([(GOOD, 1), (GOOD, 2)], 2, "v1", "going back to v1 (lyo:1)"),
        ([(GOOD, 1), (GOOD, 2)], 2, "v2", "v2 carries the traffic already"),
        ([(GOOD, 1)], 1, "v9", "v9 has not served here; what has: none"),
        (
            [(GOOD, 1), (GOOD, 2), (GOOD, 3)],
            3,
            "v9",
            "v9 has not served here; what has: v2 (lyo:2), v1 (lyo:1)",
        ),
        ([], 1, None, "no former release has served here: there is nothing to go back to"),
    ],
)
def test_a_target(past: list[tuple[str, int]], current: int, to: str | None, reason: str) -> None:
    assert r.choose(history(*past), REVISIONS, f"{ARN}:{current}", to).reason == reason


GOES_ON = " and goes on by itself; run the same command again to watch it"


@pytest.mark.parametrize(
    ("changes", "wait_for", "reason"),
    [
        ({"target": "lyo:3"}, "complete", "the deployment is of lyo:3, not of lyo:2"),
        (
            {"live": "lyo:3"},
            "complete",
            "lyo:3 serves: another deployment has taken over since",
        ),
        ({}, "complete", "the release carries all production traffic"),
        (
            {"status": "ROLLBACK_SUCCESSFUL"},
            "complete",
            "the deployment was turned back, the former release serves",
        ),
        ({"status": "ROLLBACK_FAILED"}, "complete", "turning back failed: look at the service now"),
        ({"status": "STOPPED"}, "complete", "the deployment was stopped before its end"),
        (
            {"status": "IN_PROGRESS", "stage": "BAKE_TIME"},
            "bake",
            "the release carries all production traffic, the former one is kept ready",
        ),
        (
            {"status": "PENDING", "stage": ""},
            "complete",
            f"the deployment is PENDING at its start{GOES_ON}",
        ),
        (
            {"status": "IN_PROGRESS", "stage": "SCALE_UP"},
            "complete",
            f"the deployment is IN_PROGRESS at SCALE_UP{GOES_ON}",
        ),
    ],
)
def test_a_verdict(changes: dict[str, object], wait_for: str, reason: str) -> None:
    assert v.of_release(ending(**changes), wait_for)[1] == reason


@pytest.mark.parametrize(
    ("changes", "method", "reason"),
    [
        ({}, "stop", "the deployment ended before it could be stopped; run rollback again"),
        ({}, "deploy", "the former release carries all production traffic again"),
        (
            {"status": "ROLLBACK_SUCCESSFUL"},
            "deploy",
            "the former release could not take over, what served before still serves",
        ),
    ],
)
def test_a_verdict_of_a_rollback(changes: dict[str, object], method: str, reason: str) -> None:
    assert v.of_rollback(ending(**changes), method)[1] == reason


def test_the_schema() -> None:
    unchecked = "not checked against the schema: "
    assert schema.unknown("v1", [], None) == f"{unchecked}v1 does not say what it runs on"
    assert schema.unknown("v1", ["a"], None) == f"{unchecked}no run on record says what it serves"
    present = schema.Schema("b", ("b",), ())
    assert (
        schema.cannot_serve("v1", ["a"], present) == "v1 needs schema a, but the database is at b"
    )


def test_the_lock() -> None:
    assert lock.first_step(lock.Found(None), 0, 0, 0) == (lock.TAKE, "")
    assert lock.holder(LIVING) == "alice@laptop"
    assert lock.holder(replace(LIVING, host="")) == "alice"
    begun = "the environment is locked by alice@laptop since 2026-11-23T03:00"
    assert lock.sentence(lock.Found(BY_HAND, "e")) == (
        f"{begun}, by hand (press day). To open it: unlock.yml with -e token=7"
    )
    assert lock.sentence(lock.Found(LIVING, "e", 10)) == (
        f"{begun}: deploy.yml release=v2; its run gave a sign of life 10 s ago. Wait for it "
        "(-e lock_wait=<seconds>); or, where that run is certainly gone, stop its writes and take "
        "over with -e take_over=7"
    )
    taken = lock.first_step(lock.Found(LIVING, "e", 10), 0, 0, 7)[1]
    assert taken == "taken over by hand from alice@laptop"
    other = lock.first_step(lock.Found(LIVING, "e", 10), 0, 0, 6)[1]
    assert other.startswith(
        f"take_over=6 names another lock than the one that is held now: {begun}"
    )
    late = lock.first_step(lock.Found(LIVING, "e", 75), 0, 0, 0)[1]
    assert late == "taken over from alice@laptop: its lease ran out 15 s ago"
    waiting = lock.first_step(lock.Found(LIVING, "e", 10), 0, 30, 0)[1]
    assert waiting == "waiting for alice@laptop (deploy.yml release=v2)"


@pytest.mark.parametrize(
    ("here", "shown"),
    [(-1.0, 0), (0.0, 2), (0.5, 3), (1.0, 5), (7.5, 70), (9.5, 90), (10.0, 95), (10.5, 95)],
)
def test_how_far_it_is(here: float, shown: int) -> None:
    found = stages.percent(here)
    assert found == shown
    assert isinstance(found, int)
