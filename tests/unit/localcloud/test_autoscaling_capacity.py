"""What target tracking comes to, given running tasks, metrics and alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.services.application_autoscaling.capacity import (
    AT_DESIRED,
    AT_MAXIMUM,
    AT_MINIMUM,
    IN,
    OUT,
    UNSCALABLE,
    Cooling,
    Decision,
    Policy,
    Target,
    decide,
    within,
)

TWO = Target(running=2, desired=2, minimum=2, maximum=10)
FOUR = replace(TWO, running=4, desired=4)
HOT = Policy("cpu", 60.0, 90.0, high=True)
COLD = Policy("cpu", 60.0, 20.0, low=True)
QUIET = Policy("cpu", 60.0, 58.0)


def capacity(target: Target, *policies: Policy) -> int | None:
    decision = decide(target, policies)
    return decision.capacity if decision else None


@pytest.mark.parametrize(("value", "count"), [(61.0, 3), (90.0, 3), (90.1, 4), (240.0, 8)])
def test_capacity_grows_in_proportion_and_is_rounded_up(value: float, count: int) -> None:
    assert capacity(TWO, replace(HOT, value=value)) == count


def test_no_alarm_no_change() -> None:
    assert decide(TWO, [QUIET]) is None
    assert decide(TWO, [replace(QUIET, value=500.0)]) is None
    assert decide(TWO, []) is None


def test_bounds_hold() -> None:
    assert decide(TWO, [replace(HOT, value=6000.0)]) == Decision(OUT, "cpu", 10)
    full = replace(TWO, running=10, desired=10)
    assert decide(full, [HOT]) == Decision(OUT, "cpu", None, AT_MAXIMUM)
    assert decide(replace(FOUR, maximum=3), [HOT]) == Decision(OUT, "cpu", None, AT_MAXIMUM)
    assert decide(FOUR, [COLD]) == Decision(IN, "cpu", 2)
    assert decide(TWO, [COLD]) == Decision(IN, "cpu", None, AT_MINIMUM)
    assert [within(n, 2, 4) for n in (0, 2, 3, 4, 9)] == [2, 2, 3, 4, 4]


def test_below_the_minimum_only_a_scale_out_corrects() -> None:
    none = replace(TWO, running=1, desired=1)
    assert capacity(none, replace(HOT, value=61.0)) == 2
    assert decide(none, [COLD]) == Decision(IN, "cpu", None, AT_MINIMUM)


def test_above_the_maximum_only_a_scale_in_corrects() -> None:
    assert capacity(replace(TWO, running=12, desired=12), replace(COLD, value=53.0)) == 10


def test_from_none_one_step_at_a_time() -> None:
    assert capacity(Target(0, 0, 0, 10), HOT) == 1


def test_what_runs_counts_not_what_is_desired() -> None:
    starting = replace(TWO, running=2, desired=3)
    assert decide(starting, [HOT]) == Decision(OUT, "cpu", None, AT_DESIRED)
    # During a blue/green deployment both revisions' tasks run, and share one average.
    both = replace(TWO, running=4, deploying=True)
    assert capacity(both, replace(HOT, value=75.0)) == 5


def test_any_policy_scales_out_and_the_largest_capacity_counts() -> None:
    requests = Policy("requests", 3000.0, 6001.0, high=True)
    assert decide(TWO, [COLD, requests, HOT]) == Decision(OUT, "requests", 5)


def test_all_policies_scale_in_and_the_largest_capacity_counts() -> None:
    requests = Policy("requests", 3000.0, 2200.0)
    assert decide(FOUR, [COLD, requests]) is None
    assert decide(FOUR, [COLD, replace(requests, low=True)]) == Decision(IN, "requests", 3)
    unknown = replace(requests, value=None, low=True)
    assert decide(FOUR, [COLD, unknown]) is None
    # One that may not scale in is not asked.
    assert capacity(FOUR, COLD, replace(requests, scales_in=False)) == 2
    assert decide(FOUR, [replace(COLD, scales_in=False)]) is None


def test_during_a_deployment_out_but_not_in() -> None:
    deploying = replace(FOUR, deploying=True)
    assert capacity(deploying, HOT) == 6
    assert decide(deploying, [COLD]) == Decision(IN, "cpu", None, UNSCALABLE)


def test_suspended_either_way() -> None:
    assert decide(replace(TWO, out_suspended=True), [HOT]) is None
    assert decide(replace(FOUR, in_suspended=True), [COLD]) is None
    assert capacity(replace(FOUR, out_suspended=True), COLD) == 2
    assert capacity(replace(TWO, in_suspended=True), HOT) == 3


def test_while_it_cools_down_only_a_larger_scale_out_is_made() -> None:
    cooling = Cooling(added=2)
    started = Target(running=2, desired=4, minimum=2, maximum=10, cooling=cooling)
    assert decide(started, [replace(HOT, value=120.0)]) == Decision(OUT, "cpu", None, AT_DESIRED)
    assert capacity(started, replace(HOT, value=150.0)) == 5  # three more than two, two are added
    there = replace(started, running=4)
    assert decide(there, [HOT]) == Decision(OUT, "cpu", None, AT_DESIRED)
    assert capacity(replace(there, cooling=Cooling()), HOT) == 6


def test_a_scale_in_that_cools_down_stops_the_next_but_no_scale_out() -> None:
    cooling = replace(FOUR, cooling=Cooling(scaled_in=True))
    assert decide(cooling, [COLD]) is None
    assert capacity(cooling, HOT) == 6
