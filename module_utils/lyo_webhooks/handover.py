"""What the reading half of a run leaves to its writing half, which the lock stands between.

Both are tasks of one run. The file is in the run's own folder, which goes with it; it holds ids and
URLs, no token.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import GraphError
from .state import AppFound, Found, app_from_record, as_record, found_from

FOLDER_VARIABLE = "LYO_RUN_FOLDER"
NAME = "webhooks.json"
ROWS = "webhooks-tenants.json"
# What was read longer ago may have changed while the run waited for the lock.
MAX_AGE_SECONDS = 120.0

Rows = list[tuple[int, dict[str, Any]]]


def _path(name: str) -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder, name) if folder else None


def _leave(name: str, content: Any) -> None:
    path = _path(name)
    if path is None:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)


def _take(name: str) -> Any:
    """Return what was left, once and while it is fresh; else None."""
    path = _path(name)
    if path is None:
        return None
    try:
        fresh = time.time() - path.stat().st_mtime < MAX_AGE_SECONDS
        content = json.loads(path.read_text())
        path.unlink()
    except (OSError, ValueError):
        return None
    return content if fresh else None


def leave_rows(rows: Rows) -> None:
    """Leave the list of tenants, where a task had to be run for it."""
    _leave(ROWS, rows)


def take_rows() -> Rows | None:
    """Return the list that was left, once and while it is fresh."""
    rows = _take(ROWS)
    return None if rows is None else [(int(line), row) for line, row in rows]


def leave(
    key: str, app: AppFound, found: Mapping[str, Found], failures: Mapping[str, GraphError]
) -> None:
    """Leave what was read; without a run's folder it is read again.

    :param key: what it was read for; another is not taken over.
    """
    content = {
        "key": key,
        "app": as_record(app),
        "found": {name: as_record(state) for name, state in found.items()},
        "failures": {
            name: [e.code, e.message, e.subcode, e.status, e.trace] for name, e in failures.items()
        },
    }
    _leave(NAME, content)


def take(key: str) -> tuple[AppFound, dict[str, Found], dict[str, GraphError]] | None:
    """Return what was left for the same, once and while it is fresh; else None."""
    content = _take(NAME)
    if content is None or content["key"] != key:
        return None
    failures = {
        name: GraphError(code, message, subcode=subcode, status=status, trace=trace)
        for name, (code, message, subcode, status, trace) in content["failures"].items()
    }
    found = {name: found_from(entry) for name, entry in content["found"].items()}
    return app_from_record(content["app"]), found, failures
