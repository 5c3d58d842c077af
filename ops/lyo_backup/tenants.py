"""Which column of a table holds the tenant, told by foreign keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key, tables by name with schema."""

    table: str
    columns: tuple[str, ...]
    references: str
    referenced: tuple[str, ...]


def find(name: str, tables: Iterable[str]) -> str:
    """Return the table that a name with or without schema means, empty for none."""
    known = sorted(tables)
    return name if name in known else next((t for t in known if t.partition(".")[2] == name), "")


def columns(
    tables: Sequence[str], keys: Sequence[ForeignKey], tenant_table: str, named: Mapping[str, str]
) -> dict[str, str]:
    """Return the tenant's column by table, for the tables that have one.

    A column holds the tenant when a foreign key leads from it to the tenants' table, or to a column
    that holds the tenant: ``bookings (tenant_id, wa_id)`` references ``customers (tenant_id, wa_id)``.

    :param tenant_table: with or without schema; its own column is the one that others reference.
    :param named: wins over what foreign keys tell; tables with or without schema.
    """
    found: dict[str, str] = {}
    root = find(tenant_table, tables) if tenant_table else ""
    if root:
        referenced = [key.referenced[0] for key in keys if key.references == root]
        if referenced:
            found[root] = max(sorted(set(referenced)), key=referenced.count)
    for name, column in named.items():
        if table := find(name, tables):
            found[table] = column
    changed = True
    while changed:
        changed = False
        for key in keys:
            held = found.get(key.references)
            if held in key.referenced and key.table in tables and key.table not in found:
                found[key.table] = key.columns[key.referenced.index(str(held))]
                changed = True
    return found


def order(tables: Sequence[str], keys: Sequence[ForeignKey]) -> list[str]:
    """Return tables so that each comes after those that it references.

    :raises ValueError: they reference each other in a circle; the message names it.
    """
    needs = {
        table: {
            key.references
            for key in keys
            if key.table == table and key.references in tables and key.references != table
        }
        for table in tables
    }
    ordered: list[str] = []
    while needs:
        ready = sorted(table for table, missing in needs.items() if not missing - set(ordered))
        if not ready:
            raise ValueError(f"foreign keys in a circle: {', '.join(sorted(needs))}")
        ordered += ready
        for table in ready:
            del needs[table]
    return ordered
