"""Seeded schedules: which faults meet which kind of run. The same number gives the same schedule."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

GOOD, CRASH, UNHEALTHY, BAD_SMOKE = "good", "crash", "unhealthy", "badsmoke"
DURING_BAKE, AFTER_CLEAN_UP = "rollback during bake", "rollback after clean-up"
SCENARIOS = (GOOD, CRASH, UNHEALTHY, BAD_SMOKE, DURING_BAKE, AFTER_CLEAN_UP)
# Good releases and rollbacks are where a wrong verdict costs most.
WEIGHTS = (5, 2, 2, 2, 3, 3)
MOST = 0.30


@dataclass(frozen=True)
class Schedule:
    """One run under faults.

    :ivar rules: of `localcloud/faults.py`.
    :ivar kind: what is special besides single faults: `spell` (every call fails for a while),
        `expired` (credentials end in the middle), or empty.
    """

    seed: int
    scenario: str
    rules: tuple[dict[str, Any], ...]
    kind: str

    @property
    def stale(self) -> bool:
        """Whether reads may lag behind."""
        return any(rule["action"] == "stale" for rule in self.rules)

    def __str__(self) -> str:
        rates = ", ".join(
            f"{rule['action']}{' ' + rule['when'] if 'when' in rule else ''} {rule['rate']:.0%}"
            for rule in self.rules
            if "rate" in rule
        )
        return f"seed {self.seed}: {self.scenario}, {rates}{', ' + self.kind if self.kind else ''}"


_SINGLE: tuple[dict[str, Any], ...] = (
    {"action": "throttle"},
    {"action": "error"},
    {"action": "cut", "when": "before"},
    {"action": "cut", "when": "after"},
    {"action": "slow", "seconds": 0.3},
    {"action": "stale", "seconds": 1.5},
)


def schedule(seed: int) -> Schedule:
    """The schedule of a number: up to 30 % of the calls fail, divided between some kinds of fault."""
    chance = random.Random(seed)
    scenario = chance.choices(SCENARIOS, WEIGHTS)[0]
    chosen = chance.sample(_SINGLE, chance.randint(1, 4))
    total = chance.uniform(0.05, MOST)
    shares = [chance.uniform(0.2, 1.0) for _ in chosen]
    rules = [
        {**rule, "rate": round(total * share / sum(shares), 4)}
        for rule, share in zip(chosen, shares, strict=True)
    ]
    kind = chance.choices(("", "spell", "expired"), (6, 2, 2))[0]
    begin = chance.randint(4, 60)
    if kind == "spell":
        way = chance.choice(_SINGLE[:4])
        rules.insert(0, {**way, "first": begin, "last": begin + chance.randint(8, 40)})
    if kind == "expired":
        rules.insert(0, {"action": "expired", "first": begin})
    return Schedule(seed, scenario, tuple(rules), kind)
