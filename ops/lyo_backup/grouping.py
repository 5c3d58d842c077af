"""Which tables are dumped, measured and compared together.

Each pg_dump reads the whole catalogue and each session has to be opened, so a process for every table
makes thousands of small tables slow. Large tables stay alone: they are what runs side by side.
"""

from __future__ import annotations

from collections.abc import Iterable

from .database import Found

MOST_TABLES = 500


def grouped(
    tables: Iterable[Found], most_bytes: int, most_tables: int = MOST_TABLES
) -> list[tuple[Found, ...]]:
    """Return tables in groups, in their order; those as large as a whole group alone.

    :param tables: the largest first.
    :param most_bytes: of a group on disk, 0 for every table alone.
    """
    groups: list[tuple[Found, ...]] = []
    room = -1
    for table in tables:
        room -= table.bytes
        if groups and room >= 0 and len(groups[-1]) < most_tables:
            groups[-1] = (*groups[-1], table)
        else:
            groups.append((table,))
            room = most_bytes - table.bytes if table.bytes < most_bytes else -1
    return groups
