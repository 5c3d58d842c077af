"""The tables in ``prices/``: prices, assumptions, budget, types without a price of their own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

BASES = ("published", "derived", "general")


class BadTableError(ValueError):
    """A table cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Price:
    """What a unit costs in a region.

    :ivar usd: for one unit, without taxes.
    :ivar free: units a month that cost an account nothing.
    :ivar basis: ``published``, ``derived`` or ``general``: how sure it is.
    """

    id: str
    region: str
    usd: float
    unit: str
    source: str
    as_of: date
    basis: str
    free: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class BudgetLine:
    """One line of the budget.

    :ivar usd: a month.
    :ivar why: what it was allotted for.
    """

    name: str
    usd: float
    why: str


@dataclass(frozen=True)
class Budget:
    """The monthly budget, line by line."""

    usd: float
    lines: tuple[BudgetLine, ...]


def read(path: Path) -> dict[str, Any]:
    """Return a TOML file.

    :raises BadTableError: it is missing, or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTableError(f"{path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadTableError(f"{path} is no TOML: {error}") from None


def prices(path: Path) -> dict[tuple[str, str], Price]:
    """Return the price table by (id, region).

    :raises BadTableError: an entry is incomplete, impossible or there twice.
    """
    table: dict[tuple[str, str], Price] = {}
    for entry in read(path).get("price", []):
        try:
            price = Price(**entry)
        except TypeError as error:
            raise BadTableError(f"{path}: price {entry.get('id')!r}: {error}") from None
        where = f"{path}: price {price.id!r} of {price.region}"
        if price.basis not in BASES:
            raise BadTableError(f"{where}: basis must be one of {', '.join(BASES)}")
        if price.usd <= 0 or price.free < 0:
            raise BadTableError(f"{where}: usd must be above 0 and free not below")
        if (price.id, price.region) in table:
            raise BadTableError(f"{where} is there twice")
        table[price.id, price.region] = price
    return table


def usage(path: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the assumptions by name, with an inventory's own values.

    :raises BadTableError: an override that no assumption has, or of another kind.
    """
    values = {name: entry["value"] for name, entry in read(path).get("usage", {}).items()}
    for name, value in overrides.items():
        if name not in values:
            raise BadTableError(
                f"lyo_cost_usage names {name!r}, which {path.name} does not assume. "
                f"It knows: {', '.join(sorted(values))}"
            )
        if isinstance(values[name], str):
            values[name] = str(value)
            continue
        try:
            values[name] = float(value)
        except (TypeError, ValueError):
            raise BadTableError(f"lyo_cost_usage.{name} must be a number, not {value!r}") from None
        if values[name] < 0:
            raise BadTableError(f"lyo_cost_usage.{name} must not be below 0")
    return values


def budget(path: Path) -> Budget:
    """Return the budget.

    :raises BadTableError: its lines do not add up to it.
    """
    content = read(path)
    lines = tuple(BudgetLine(**line) for line in content.get("line", []))
    total = float(content["usd_a_month"])
    added = sum(line.usd for line in lines)
    if abs(added - total) > 0.005:
        raise BadTableError(f"{path}: the lines add up to {added:.2f}, not to {total:.2f}")
    return Budget(total, lines)


def free_types(path: Path) -> dict[str, str]:
    """Return the types of resources that cost nothing themselves, each with its reason."""
    return {str(name): str(why) for name, why in read(path).get("free", {}).items()}
