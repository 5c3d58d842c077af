"""Cursor-based paging: https://developers.facebook.com/docs/graph-api/results."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from graphdouble.errors import invalid_parameter

MAX_LIMIT = 100


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def page(
    rows: Sequence[tuple[str, dict[str, Any]]],
    parameters: Mapping[str, Any],
    address: str,
    size: int,
) -> dict[str, Any]:
    """Return one page of an edge: `data` and `paging`.

    :param rows: key and content of every row, in order.
    :param parameters: those of the call: `limit`, `after` and `before` are read.
    :param address: URL of the edge, for the link to the next page.
    :param size: rows of a page when the call does not say.
    :raises GraphError: 100, a limit or cursor that is none.
    """
    try:
        limit = min(int(parameters.get("limit", size)), MAX_LIMIT)
    except ValueError as error:
        raise invalid_parameter("param limit must be an integer") from error
    if limit < 1:
        raise invalid_parameter("param limit must be greater than 0")
    keys = [key for key, _ in rows]
    start, end = 0, len(rows)
    if "after" in parameters:
        start = _position(keys, str(parameters["after"])) + 1
        end = min(start + limit, len(rows))
    elif "before" in parameters:
        end = _position(keys, str(parameters["before"]))
        start = max(0, end - limit)
    else:
        end = min(limit, len(rows))
    chosen = rows[start:end]
    document: dict[str, Any] = {"data": [content for _, content in chosen]}
    if chosen:
        before, after = _cursor(chosen[0][0]), _cursor(chosen[-1][0])
        document["paging"] = {"cursors": {"before": before, "after": after}}
        kept = {name: str(parameters[name]) for name in ("fields",) if name in parameters}
        if end < len(rows):
            query = urlencode({**kept, "limit": limit, "after": after})
            document["paging"]["next"] = f"{address}?{query}"
        if start > 0:
            query = urlencode({**kept, "limit": limit, "before": before})
            document["paging"]["previous"] = f"{address}?{query}"
    return document


def _position(keys: list[str], cursor: str) -> int:
    for index, key in enumerate(keys):
        if _cursor(key) == cursor:
            return index
    raise invalid_parameter("Invalid cursors values: the item of the cursor is gone")
