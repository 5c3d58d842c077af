"""How many tasks a scalable target is to have, given its policies: decided without I/O.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
AWS publishes no formula. Here capacity follows the metric in proportion and is rounded up, which is
what "proportional" and "conservative" on these pages come to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

OUT, IN = "out", "in"
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_NotScaledReason.html
AT_MAXIMUM = "AlreadyAtMaxCapacity"
AT_MINIMUM = "AlreadyAtMinCapacity"
AT_DESIRED = "AlreadyAtDesiredCapacity"
UNSCALABLE = "TargetServicePutResourceAsUnscalable"


@dataclass(frozen=True)
class Policy:
    """A target tracking policy and where its metric is.

    high, low: whether its alarms are in ALARM; value: the metric's newest data point.
    """

    name: str
    target: float
    value: float | None = None
    high: bool = False
    low: bool = False
    scales_in: bool = True


@dataclass(frozen=True)
class Cooling:
    """What the last scaling leaves behind. Each part None once its cooldown is over.

    added: tasks that the last scale-out has added; scaled_in: whether a scale-in still cools down.
    """

    added: int | None = None
    scaled_in: bool = False


@dataclass(frozen=True)
class Target:
    """A scalable target. running is what policies reckon from, desired what they set.

    deploying: an ECS deployment is in progress, so nothing is scaled in.
    """

    running: int
    desired: int
    minimum: int
    maximum: int
    out_suspended: bool = False
    in_suspended: bool = False
    deploying: bool = False
    cooling: Cooling = Cooling()


@dataclass(frozen=True)
class Decision:
    """What happens. capacity None: nothing, for ``reason`` (one of NotScaledReason's codes)."""

    direction: str
    policy: str
    capacity: int | None
    reason: str = ""


def within(desired: int, minimum: int, maximum: int) -> int:
    """The capacity inside the bounds that is nearest to the present one."""
    return max(minimum, min(maximum, desired))


def decide(target: Target, policies: Sequence[Policy]) -> Decision | None:
    """Return what the policies come to now, None while no alarm asks for anything.

    Out when any policy asks for it; in when all that may scale in do. Of several answers the largest
    capacity counts, either way. An alarm without data asks for nothing.
    """
    asking = [policy for policy in policies if policy.high and policy.value is not None]
    if asking:
        return None if target.out_suspended else _out(target, asking)
    allowed = [policy for policy in policies if policy.scales_in]
    if allowed and all(policy.low and policy.value is not None for policy in allowed):
        return None if target.in_suspended else _in(target, allowed)
    return None


def _out(target: Target, policies: Sequence[Policy]) -> Decision:
    leading = max(policies, key=lambda policy: _needed(target, policy))
    # From none by the least possible amount: no task, no metric to reckon with.
    wanted = max(_needed(target, leading), target.minimum, 1)
    added = target.cooling.added
    if added is not None and target.desired >= target.minimum:
        # What was just added counts as part of what is needed now.
        wanted = target.desired + max(0, wanted - target.running - added)
    wanted = min(wanted, target.maximum)
    if wanted > target.desired:
        return Decision(OUT, leading.name, wanted)
    full = target.desired >= target.maximum
    return Decision(OUT, leading.name, None, AT_MAXIMUM if full else AT_DESIRED)


def _in(target: Target, policies: Sequence[Policy]) -> Decision | None:
    leading = max(policies, key=lambda policy: _needed(target, policy))
    if target.deploying:
        return Decision(IN, leading.name, None, UNSCALABLE)
    if target.cooling.scaled_in:
        return None
    wanted = within(_needed(target, leading), target.minimum, target.maximum)
    if wanted < target.desired:
        return Decision(IN, leading.name, wanted)
    least = target.desired <= target.minimum
    return Decision(IN, leading.name, None, AT_MINIMUM if least else AT_DESIRED)


def _needed(target: Target, policy: Policy) -> int:
    """The number of tasks at which the metric would be at its target value."""
    share = (policy.value or 0.0) / policy.target
    # Not one task more for the last bit of a float.
    return math.ceil(round(target.running * share, 6))
