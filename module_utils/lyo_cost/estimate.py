"""The estimate: every resource through its rule, quantities added up, free units taken off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Imported for what they register.
from . import rules_compute, rules_network, rules_operations  # noqa: F401
from .resources import Environment
from .rules import RULES, Context, parts_of
from .tables import Price


@dataclass(frozen=True)
class Line:
    """What one price comes to in a month.

    :ivar line: the budget's line it belongs to.
    :ivar resources: addresses that take it.
    :ivar quantity: units a month, free ones included.
    :ivar usd: quantity without the free units, times the unit price.
    :ivar assumed: names of the assumptions behind the quantity.
    """

    line: str
    price: Price
    resources: tuple[str, ...]
    quantity: float
    usd: float
    assumed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as a module returns it."""
        return {
            "line": self.line,
            "price": self.price.id,
            "region": self.price.region,
            "resources": list(self.resources),
            "quantity": round(self.quantity, 4),
            "unit": self.price.unit,
            "unit_price": self.price.usd,
            "free": self.price.free,
            "usd": round(self.usd, 2),
            "assumed": list(self.assumed),
            "basis": self.price.basis,
            "as_of": self.price.as_of.isoformat(),
            "source": self.price.source,
        }


@dataclass(frozen=True)
class Unpriced:
    """A resource, or a part of it, whose cost is not in the total.

    :ivar why: what is missing.
    """

    address: str
    type: str
    why: str


@dataclass(frozen=True)
class Estimate:
    """What an environment costs a month."""

    lines: tuple[Line, ...]
    unpriced: tuple[Unpriced, ...]

    @property
    def total(self) -> float:
        """USD a month."""
        return sum(line.usd for line in self.lines)

    def by_budget_line(self) -> dict[str, float]:
        """Return USD by the budget's line."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.line] = sums.get(line.line, 0.0) + line.usd
        return sums


class Estimator:
    """Estimates environments of one region with one set of prices and assumptions.

    :param prices: by (id, region).
    :param free_types: types that cost nothing themselves.
    """

    def __init__(
        self,
        prices: Mapping[tuple[str, str], Price],
        free_types: Mapping[str, str],
        usage: Mapping[str, Any],
        region: str,
    ) -> None:
        self._prices, self._free = prices, free_types
        self._usage, self._region = usage, region

    def with_usage(self, changes: Mapping[str, Any]) -> Estimator:
        """Return the same estimator with other assumptions."""
        return Estimator(self._prices, self._free, {**self._usage, **changes}, self._region)

    def estimate(self, environment: Environment) -> Estimate:
        """Return what the environment costs a month."""
        context = Context(environment, self._usage)
        sums: dict[tuple[str, str, str], _Sum] = {}
        unpriced: list[Unpriced] = []
        for resource in environment.resources:
            if resource.type in self._free:
                continue
            if resource.type not in RULES:
                unpriced.append(Unpriced(resource.address, resource.type, "no rule prices it"))
                continue
            try:
                parts = parts_of(resource, context)
            except LookupError as error:
                unpriced.append(Unpriced(resource.address, resource.type, str(error)))
                continue
            for part in parts:
                region = part.region or self._region
                if (part.price, region) not in self._prices:
                    why = f"no price {part.price} for {region}"
                    unpriced.append(Unpriced(resource.address, resource.type, why))
                    continue
                total = sums.setdefault((part.price, region, part.line), _Sum())
                total.add(resource.address, part.quantity, part.assumed)
        return Estimate(self._lines(sums), tuple(unpriced))

    def _lines(self, sums: Mapping[tuple[str, str, str], _Sum]) -> tuple[Line, ...]:
        left = {key: price.free for key, price in self._prices.items()}
        lines: list[Line] = []
        for (price_id, region, line), total in sums.items():
            price = self._prices[price_id, region]
            free = min(left[price_id, region], total.quantity)
            left[price_id, region] -= free
            usd = (total.quantity - free) * price.usd
            lines.append(
                Line(line, price, tuple(total.resources), total.quantity, usd, tuple(total.assumed))
            )
        return tuple(sorted(lines, key=lambda line: (line.line, -line.usd, line.price.id)))


class _Sum:
    """Quantity, resources and assumptions of one price so far."""

    def __init__(self) -> None:
        self.quantity = 0.0
        self.resources: dict[str, None] = {}
        self.assumed: dict[str, None] = {}

    def add(self, address: str, quantity: float, assumed: Sequence[str]) -> None:
        self.quantity += quantity
        self.resources[address] = None
        self.assumed.update(dict.fromkeys(assumed))


def oldest(lines: Sequence[Line]) -> str:
    """Return the date of the oldest price that was used, empty without lines."""
    return min((line.price.as_of.isoformat() for line in lines), default="")


def unsure(estimate: Estimate) -> float:
    """Return the share of the total, 0 to 1, whose prices were not read in a list."""
    if not estimate.total:
        return 0.0
    unread = sum(line.usd for line in estimate.lines if line.price.basis != "published")
    return unread / estimate.total
