"""Waits out a spell in which AWS cannot be read, and reads that are older than what is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..lyo_aws import Aws, AwsFailure
from . import live, stages

#: How long AWS may not answer in one go, in seconds: what is watched goes on meanwhile.
PATIENCE_SECONDS = 600.0
_PAUSE_SECONDS = 2.0
_LOOKS = 10

Answer = TypeVar("Answer")


def patiently(
    read: Callable[[], Answer],
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    seconds: float = PATIENCE_SECONDS,
) -> Answer:
    """Return what ``read`` returns, however often it has to be asked.

    :param say: told why it is asked again.
    :param seconds: how long at most.
    :raises AwsFailure: a refusal that time does not heal, or trouble for all of the time.
    """
    end = clock() + min(seconds, PATIENCE_SECONDS)
    while True:
        try:
            return read()
        except AwsFailure as failure:
            if not failure.passing or clock() >= end:
                raise
            say(failure.message)
        sleep(_PAUSE_SECONDS)


def older(state: live.State, deployment: Mapping[str, Any]) -> bool:
    """Tell whether a state was read from before what is known of a followed deployment.

    :param deployment: its last description.
    """
    last = state.last or {}
    if last.get("serviceDeploymentArn") == deployment.get("serviceDeploymentArn"):
        return deployment.get("status") in stages.ENDED and last.get("status") not in stages.ENDED
    mine, its = deployment.get("createdAt"), last.get("createdAt")
    return not last or (mine is not None and its is not None and its < mine)


def read_after(
    aws: Aws,
    cluster: str,
    service: str,
    deployment: Mapping[str, Any],
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> live.State:
    """Return the state of a service after ``deployment`` was followed.

    Reads of ECS may lag behind: one that shows less than is known already is not believed.

    :raises AwsFailure: as :func:`patiently`.
    """

    def read() -> live.State:
        return live.read(aws, cluster, service, "")

    for attempt in range(_LOOKS):
        state = patiently(read, say, sleep, clock)
        if not older(state, deployment):
            break
        sleep(min(1.0, 0.2 * (attempt + 1)))
    return state
