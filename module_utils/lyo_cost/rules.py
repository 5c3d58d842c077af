"""What the rules that price a type of resource are made of, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .resources import Environment, Resource


@dataclass(frozen=True)
class Part:
    """A quantity of one price that a resource takes in a month.

    :ivar line: the budget's line.
    :ivar price: id in the price table.
    :ivar quantity: units a month.
    :ivar assumed: names of the assumptions it was computed from.
    :ivar region: region of the price where it is not the environment's.
    """

    line: str
    price: str
    quantity: float
    assumed: tuple[str, ...] = ()
    region: str = ""


class Context:
    """What a rule may look at besides its resource.

    :ivar environment: all resources and outputs.
    :ivar used: names of the assumptions that were read since the last part.
    """

    def __init__(self, environment: Environment, usage: Mapping[str, Any]) -> None:
        self.environment = environment
        self.used: list[str] = []
        self._usage = usage

    def __getitem__(self, name: str) -> float:
        """Return a number that is assumed, and remember that it was."""
        return float(self.text(name))

    def text(self, name: str) -> Any:
        """Return an assumption as it stands in its table."""
        if name not in self.used:
            self.used.append(name)
        return self._usage[name]

    def requests(self) -> float:
        """Return requests a month."""
        return self["restaurants"] * self["requests_per_restaurant"]

    def tasks(self) -> float:
        """Return how many tasks run on average, releases included."""
        targets = self.environment.of("aws_appautoscaling_target")
        minimum = sum(
            float(target.get("min_capacity", 0))
            for target in targets
            if target.get("service_namespace") == "ecs"
        )
        during_releases = self["releases"] * self["release_hours"] / self["hours"]
        return minimum * (1 + self["tasks_over_minimum"] + during_releases)


Rule = Callable[[Resource, Context], Iterable[Part]]
RULES: dict[str, Rule] = {}


def rule(*types: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of these types of resources."""

    def register(function: Rule) -> Rule:
        for name in types:
            RULES[name] = function
        return function

    return register


def parts_of(resource: Resource, context: Context) -> list[Part]:
    """Return the parts of one resource, each with what was assumed; none for an unknown type."""
    function = RULES.get(resource.type)
    if function is None:
        return []
    context.used.clear()
    found: list[Part] = []
    for part in function(resource, context):
        # The length of a month stands in every line: only what else was assumed is named.
        assumed = tuple(name for name in context.used if name != "hours")
        context.used.clear()
        found.append(Part(part.line, part.price, part.quantity, assumed, part.region))
    return found
