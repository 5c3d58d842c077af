"""Which record Route 53 answers with. Pure but for the choice by weight.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from localcloud.services.route53.records import Record

Healthy = Callable[[Record], bool]
# Picks one of the records, by their weights.
Pick = Callable[[Sequence[Record]], Record]


def by_weight(records: Sequence[Record]) -> Record:
    """One of the records; where all have weight 0, each is as likely."""
    weights = [record.weight or 0 for record in records]
    # Which answer comes is no secret.
    return random.choices(records, weights if any(weights) else None)[0]  # noqa: S311


def choose(group: Sequence[Record], healthy: Healthy, pick: Pick = by_weight) -> Record:
    """The record that answers, of those with one name, type and routing policy.

    Where none is healthy, Route 53 answers as though all were; of failover records then the
    primary. Weights of 0 come into play when no record with a greater one is healthy.
    """
    if group[0].policy == "failover":
        return _failover(group, healthy)
    if group[0].policy == "simple":
        return group[0]
    weighted = [record for record in group if record.weight]
    unweighted = [record for record in group if not record.weight]
    for candidates in (weighted, unweighted):
        well = [record for record in candidates if healthy(record)]
        if well:
            return pick(well)
    return pick(weighted or unweighted)


def _failover(group: Sequence[Record], healthy: Healthy) -> Record:
    by_role = {record.failover: record for record in group}
    primary, secondary = by_role.get("PRIMARY"), by_role.get("SECONDARY")
    if primary is None or secondary is None:
        return group[0]
    if not healthy(primary) and healthy(secondary):
        return secondary
    return primary


def load_balancer_healthy(groups: Sequence[Sequence[str]]) -> bool:
    """Whether EvaluateTargetHealth finds a load balancer healthy.

    groups: the states of the targets of each of its target groups. Every group needs a healthy
    target, and one without any target counts as unhealthy: so do the idle group of a blue/green
    deployment, and with it the load balancer.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
    """
    return all("healthy" in states for states in groups)
