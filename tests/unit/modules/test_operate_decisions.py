"""Restart and scale: what is done first, and when a number of tasks is reached."""

from __future__ import annotations

import pytest
from ansible.module_utils.lyo_operate import decide
from ansible.module_utils.lyo_operate.decide import Scaling, Service

QUIET = Service(desired=2, running=2)
BOUNDS = Scaling(2, 6)


@pytest.mark.parametrize(
    ("service", "step", "word"),
    [
        (QUIET, decide.START, "2 tasks"),
        (Service(0), decide.REFUSE, "deploy.yml starts the first"),
        (Service(2, 2, "v1", "IN_PROGRESS", same=True), decide.ADOPT, "already in progress"),
        (Service(2, 2, "v1", "PENDING", same=True), decide.ADOPT, "already in progress"),
        (Service(2, 2, "v2", "IN_PROGRESS"), decide.REFUSE, "v2 is just being deployed"),
        (Service(2, 2, "v1", "ROLLBACK_IN_PROGRESS", same=True), decide.REFUSE, "turning back"),
        # A first restart of nothing is not adopted either.
        (Service(0, 0, "v2", "IN_PROGRESS"), decide.REFUSE, "v2 is just being deployed"),
    ],
)
def test_what_a_restart_does_first(service: Service, step: str, word: str) -> None:
    found, why = decide.restart(service)
    assert (found, word in why) == (step, True), why


@pytest.mark.parametrize(
    ("service", "scaling", "tasks", "step", "word"),
    [
        (QUIET, BOUNDS, 3, decide.START, "from 2 to 3"),
        (QUIET, BOUNDS, 6, decide.START, "from 2 to 6"),
        (QUIET, BOUNDS, 7, decide.REFUSE, "terraform/production.tfvars"),
        (QUIET, BOUNDS, 1, decide.REFUSE, "2 to 6 tasks"),
        (QUIET, BOUNDS, 2, decide.UNCHANGED, "run already"),
        (Service(3, 2), BOUNDS, 3, decide.ADOPT, "waiting for them"),
        (QUIET, None, 40, decide.START, "from 2 to 40"),
        (QUIET, None, 0, decide.REFUSE, "a task at least"),
        (Service(0), BOUNDS, 3, decide.REFUSE, "nothing is released"),
        (Service(2, 2, "v2", "IN_PROGRESS"), BOUNDS, 3, decide.REFUSE, "v2 is just being deployed"),
        # Outside of the bounds is said first: waiting for the deployment would not help.
        (Service(2, 2, "v2", "IN_PROGRESS"), BOUNDS, 9, decide.REFUSE, "terraform/production.tfvars"),
    ],
)  # fmt: skip
def test_what_scaling_does_first(
    service: Service, scaling: Scaling | None, tasks: int, step: str, word: str
) -> None:
    found, why = decide.scale(service, scaling, tasks, "production")
    assert (found, word in why) == (step, True), why


@pytest.mark.parametrize(
    ("desired", "running", "healthy", "accepted", "step"),
    [
        (3, 3, 3, True, "done"),
        (3, 3, None, True, "done"),
        (3, 3, 2, True, "wait"),
        (3, 2, 2, True, "wait"),
        (3, 4, 3, True, "wait"),  # scaling in: one is still to stop
        (4, 4, 4, True, "overruled"),
        (2, 2, 2, False, "wait"),  # the write does not show yet
        (2, 3, 3, False, "wait"),
    ],
)
def test_when_a_number_of_tasks_is_reached(
    desired: int, running: int, healthy: int | None, accepted: bool, step: str
) -> None:
    assert decide.settled(desired, running, healthy, 3, accepted=accepted)[0] == step


def test_who_has_decided_otherwise_is_named() -> None:
    assert "Application Auto Scaling" in decide.settled(4, 4, 4, 3, accepted=True)[1]
