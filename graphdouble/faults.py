"""Faults on purpose: the ways in which Meta, and the network before it, fail a caller.

A schedule is a seed and rules. A rule says which calls it meets and what happens to them:

| action | what the caller sees |
|---|---|
| `error` | HTTP 500 code 1, HTTP 503 code 2 (both transient), or HTTP 502 with a page of HTML |
| `throttle` | code 4 or 80008, HTTP 429, although no limit is reached |
| `cut` | the connection closes without an answer |
| `slow` | the answer comes `seconds` later |
| `hold` | nothing, until somebody releases it: for killing the caller there |

`when` says whether that comes before or after the call took effect.
Chance goes by the call (method and path) and how often it was made, not by the order in which
concurrent calls arrive, so that a seed repeats itself.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

ACTIONS = ("error", "throttle", "cut", "slow", "hold")
MAX_HOLD_SECONDS = 300.0


@dataclass(frozen=True)
class Rule:
    """One kind of fault, and which calls it meets.

    :ivar when: `before`, `after` or `either` (by chance) of the call's effect.
    :ivar kind: `read`, `write` or empty for both.
    :ivar operation: method and path template as recorded (`POST /{waba-id}/subscribed_apps`).
    :ivar nth: only the nth call that the rule meets, from 1; 0 for each.
    :ivar first: only from this call on.
    :ivar rate: share of the calls met, 0 to 1.
    :ivar seconds: wall seconds, for `slow`.
    """

    action: str
    when: str = "before"
    kind: str = ""
    operation: str = ""
    nth: int = 0
    first: int = 0
    rate: float = 1.0
    seconds: float = 1.0

    def meets(self, operation: str, kind: str) -> bool:
        """Whether a call is of those the rule is about, its number and chance apart."""
        return self.operation in ("", operation) and self.kind in ("", kind)


@dataclass(frozen=True)
class Fault:
    """What happens to one call."""

    action: str
    when: str = "before"
    seconds: float = 0.0
    variant: int = 0


def parse(document: Mapping[str, Any]) -> tuple[int, list[Rule]]:
    """Return seed and rules of a schedule.

    :raises ValueError: naming what is wrong.
    """
    known = [field.name for field in fields(Rule)]
    rules = []
    for entry in document.get("rules", []):
        unknown = sorted(set(entry) - set(known))
        if unknown:
            raise ValueError(f"a rule has no {', '.join(unknown)}; it has {', '.join(known)}")
        rule = Rule(**entry)
        if rule.action not in ACTIONS:
            raise ValueError(f"action {rule.action!r} is none of {', '.join(ACTIONS)}")
        if rule.when not in ("before", "after", "either"):
            raise ValueError(f"when {rule.when!r} is none of before, after, either")
        if rule.kind not in ("", "read", "write"):
            raise ValueError(f"kind {rule.kind!r} is neither read nor write")
        rules.append(rule)
    return int(document.get("seed", 0)), rules


class _Hold:
    def __init__(self, name: str) -> None:
        self.name, self.released, self.drop = name, asyncio.Event(), False


class Faults:
    """The schedule in force, and what has come of it."""

    def __init__(self) -> None:
        self._seed = 0
        self._rules: list[Rule] = []
        self._met: list[int] = []
        self._made: dict[str, int] = defaultdict(int)
        self._fired: dict[str, int] = defaultdict(int)
        self._holds: list[_Hold] = []

    def set(self, seed: int, rules: Iterable[Rule]) -> None:
        """Put a schedule in force; counting begins anew."""
        self.release(drop=False)
        self._seed, self._rules = seed, list(rules)
        self._met = [0] * len(self._rules)
        self._made.clear()
        self._fired.clear()

    def release(self, *, drop: bool) -> int:
        """Let held calls go on, or drop them; return how many there were."""
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.drop = drop
            hold.released.set()
        return len(holds)

    def report(self) -> dict[str, Any]:
        """What is in force, what happened, what is held."""
        return {
            "seed": self._seed,
            "rules": [asdict(rule) for rule in self._rules],
            "fired": dict(self._fired),
            "held": [hold.name for hold in self._holds],
        }

    def choose(self, call: str, operation: str, kind: str) -> Fault | None:
        """What happens to a call (`call`: method and path, without parameters)."""
        if not self._rules:
            return None
        self._made[call] += 1
        chosen = None
        for index, rule in enumerate(self._rules):
            if not rule.meets(operation, kind):
                continue
            self._met[index] += 1
            if chosen is None:
                chosen = self._due(index, rule, call)
        if chosen is not None:
            self._fired[f"{chosen.action} {chosen.when}"] += 1
        return chosen

    def _due(self, index: int, rule: Rule, call: str) -> Fault | None:
        number = self._met[index]
        if (rule.nth and number != rule.nth) or number < rule.first:
            return None
        chance = random.Random(f"{self._seed}:{index}:{call}:{self._made[call]}")  # noqa: S311
        if chance.random() >= rule.rate:
            return None
        when = chance.choice(("before", "after")) if rule.when == "either" else rule.when
        return Fault(rule.action, when, rule.seconds, chance.randrange(3))

    async def hold(self, name: str) -> bool:
        """Wait for the release; whether the call is dropped."""
        hold = _Hold(name)
        self._holds.append(hold)
        try:
            await asyncio.wait_for(hold.released.wait(), MAX_HOLD_SECONDS)
        except TimeoutError:
            self._holds.remove(hold)
        return hold.drop
