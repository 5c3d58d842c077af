"""What an environment could save: each change estimated anew, and the fewest that reach a budget."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .estimate import Estimate, Estimator
from .resources import Environment, Resource
from .tables import BadTableError, read

# Below this, in USD a month, a change saves nothing.
NOTHING = 0.005


@dataclass(frozen=True)
class Saving:
    """One change that spends less.

    :ivar variable: what to set.
    :ivar value: to what.
    :ivar gives_up: what that costs in other ways.
    :ivar standby: it gives up a second database, cache node or task.
    :ivar refused: production's validations do not let it pass.
    :ivar change: the change in the estimate's terms.
    :ivar terraform: the same as a variable of the root module, empty where it is none.
    """

    variable: str
    value: str
    gives_up: str
    change: tuple[Mapping[str, Any], ...]
    standby: bool = False
    refused: bool = False
    terraform: str = ""

    @property
    def name(self) -> str:
        """The assignment, as people write it."""
        return f"{self.variable} = {self.value}"


def load(path: Path) -> tuple[Saving, ...]:
    """Return the savings of a table.

    :raises BadTableError: an entry is incomplete or changes in an unknown way.
    """
    found: list[Saving] = []
    for entry in read(path).get("saving", []):
        try:
            saving = Saving(**{**entry, "change": tuple(entry["change"])})
        except (KeyError, TypeError) as error:
            raise BadTableError(f"{path}: saving {entry.get('variable')!r}: {error}") from None
        unknown = {step.get("op") for step in saving.change} - set(STEPS) - {"usage"}
        if unknown:
            raise BadTableError(f"{path}: saving {saving.variable!r}: unknown op {unknown}")
        found.append(saving)
    return tuple(found)


def _keep(environment: Environment, step: Mapping[str, Any]) -> Environment:
    """Keep the first resources of a type, as many as ``count``."""
    gone = set(environment.of(step["type"])[int(step["count"]) :])
    kept = tuple(r for r in environment.resources if r not in gone)
    return replace(environment, resources=kept)


def _drop(environment: Environment, step: Mapping[str, Any]) -> Environment:
    """Remove the resources whose address contains ``address``."""
    kept = tuple(r for r in environment.resources if step["address"] not in r.address)
    return replace(environment, resources=kept)


def _set(environment: Environment, step: Mapping[str, Any]) -> Environment:
    """Set an attribute of the resources of a type."""

    def changed(resource: Resource) -> Resource:
        if resource.type != step["type"]:
            return resource
        attributes = {**resource.attributes, step["attribute"]: step["value"]}
        return replace(resource, attributes=attributes)

    return replace(environment, resources=tuple(map(changed, environment.resources)))


def _output(environment: Environment, step: Mapping[str, Any]) -> Environment:
    """Set a value of the outputs."""
    return replace(environment, outputs={**environment.outputs, step["name"]: step["value"]})


STEPS = {"keep": _keep, "drop": _drop, "set": _set, "output": _output}


def estimate_with(
    estimator: Estimator, environment: Environment, savings: Iterable[Saving]
) -> Estimate:
    """Return the estimate of the environment with all these changes."""
    usage: dict[str, Any] = {}
    for step in (step for saving in savings for step in saving.change):
        if step["op"] == "usage":
            usage[step["name"]] = step["value"]
        else:
            environment = STEPS[step["op"]](environment, step)
    return estimator.with_usage(usage).estimate(environment)


def possible(
    estimator: Estimator, environment: Environment, savings: Sequence[Saving]
) -> list[tuple[Saving, float]]:
    """Return the changes that save something here, and how much each alone, dearest first."""
    before = estimator.estimate(environment).total
    found = [(s, before - estimate_with(estimator, environment, [s]).total) for s in savings]
    return sorted((pair for pair in found if pair[1] >= NOTHING), key=lambda pair: -pair[1])


@dataclass(frozen=True)
class Way:
    """Changes that reach the budget together, and the total then."""

    savings: tuple[Saving, ...]
    total: float


def fewest(
    estimator: Estimator,
    environment: Environment,
    savings: Sequence[tuple[Saving, float]],
    budget: float,
) -> Way | None:
    """Return the fewest changes that reach the budget; of as many, those that save least beyond it.

    :param savings: as :func:`possible` returns them; what must not be given up is left out before.
    :returns: None where not even all of them reach it.
    """
    total = estimator.estimate(environment).total
    if total <= budget:
        return Way((), total)
    everything = [saving for saving, _ in savings]
    if estimate_with(estimator, environment, everything).total > budget:
        return None
    for count in range(1, len(savings) + 1):
        ways = []
        for chosen in itertools.combinations(savings, count):
            # Changes share what they save more often than they add to it: far from the goal
            # apart, they do not reach it together.
            if total - 1.1 * sum(saved for _, saved in chosen) > budget:
                continue
            only = tuple(saving for saving, _ in chosen)
            ways.append(Way(only, estimate_with(estimator, environment, only).total))
        reached = [way for way in ways if way.total <= budget]
        if reached:
            return max(reached, key=lambda way: way.total)
    return None


def acceptable(savings: Sequence[tuple[Saving, float]]) -> list[tuple[Saving, float]]:
    """Return the changes that keep the standby of database, cache and tasks, and that production's
    validations let pass."""
    return [pair for pair in savings if not pair[0].standby and not pair[0].refused]
