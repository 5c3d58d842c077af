"""Runs under faults end with the right verdict or with one message, never with a wrong verdict.

Each is a number (`schedules.py`); `python -m tests.chaos NUMBER` repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.conftest import EVERYTHING
from tests.chaos.modules import make_haste
from tests.chaos.schedule_runs import Runner
from tests.chaos.schedules import MOST, SCENARIOS, schedule
from tests.chaos.site import Site

pytestmark = pytest.mark.timeout(1800)

# Ten in which every scenario and every kind of fault is met.
SOME = (1, 2, 3, 5, 6, 7, 9, 12, 13, 14)
SEEDS = range(1, 251) if EVERYTHING else SOME


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patch:
        make_haste(patch)
        site = Site(tmp_path_factory.mktemp("site"))
        yield Runner(site)
        site.remove()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_schedule(runner: Runner, seed: int) -> None:
    report = runner.run(schedule(seed))
    print(report)
    assert not report.problems, f"{report}\nto repeat it: python -m tests.chaos {seed}"
    assert report.calls > 0


def test_the_schedules_are_different_and_keep_to_their_rate() -> None:
    made = [schedule(seed) for seed in range(1, 251)]
    assert {one.scenario for one in made} == set(SCENARIOS)
    assert {one.kind for one in made} == {"", "spell", "expired"}
    for one in made:
        assert 0 < sum(rule.get("rate", 0) for rule in one.rules) <= MOST + 0.001
    assert schedule(17) == schedule(17)


def test_the_chosen_ones_meet_everything() -> None:
    chosen = [schedule(seed) for seed in SOME]
    assert {one.scenario for one in chosen} == set(SCENARIOS)
    assert {one.kind for one in chosen} == {"", "spell", "expired"}
    met = {(rule["action"], rule.get("when")) for one in chosen for rule in one.rules}
    assert {action for action, _ in met} == {"throttle", "error", "cut", "slow", "stale", "expired"}
    assert {("cut", "before"), ("cut", "after")} <= met
