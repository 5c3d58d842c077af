"""Versions of Meta's Graph API and the day each of them ends."""

from __future__ import annotations

import re
from datetime import date, timedelta

# https://developers.facebook.com/docs/graph-api/changelog/versions (read in November 2026). A call to a
# version that has ended is answered by the oldest one that has not, so nobody notices by the answers.
ENDS: dict[str, date | None] = {
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
    "v26.0": None,
}
NEWEST = "v26.0"
WARN_BEFORE = timedelta(days=180)
_FORM = re.compile(r"v(\d+)\.\d+")


def problem(version: str, today: date) -> str:
    """Return why ``version`` must not be used, empty where it may."""
    if not _FORM.fullmatch(version):
        return f"{version!r} is not a version of the Graph API; write it as {NEWEST}"
    if version not in ENDS:
        number = int(version[1:].partition(".")[0])
        if number < min(int(known[1:].partition(".")[0]) for known in ENDS):
            return f"Graph API {version} has ended: set lyo_webhooks.graph_version to {NEWEST}"
        return (
            f"Graph API {version} is not in the table of module_utils/lyo_webhooks/versions.py "
            f"(newest: {NEWEST}): add it with the day it ends, from Meta's changelog"
        )
    end = ENDS[version]
    if end is not None and today >= end:
        return (
            f"Graph API {version} ended on {end.isoformat()}: "
            f"set lyo_webhooks.graph_version to {NEWEST}"
        )
    return ""


def warning(version: str, today: date) -> str:
    """Return a warning from 180 days before the end of ``version``, else nothing."""
    end = ENDS.get(version)
    if end is None or today < end - WARN_BEFORE or today >= end:
        return ""
    return (
        f"Graph API {version} ends on {end.isoformat()}, in {(end - today).days} days: "
        f"set lyo_webhooks.graph_version to {NEWEST}"
    )
