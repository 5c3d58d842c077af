"""Graph API versions: when each came and when it ends.

Dates: https://developers.facebook.com/docs/graph-api/changelog (read in November 2026).
An ended version is served as the oldest usable one:
https://developers.facebook.com/docs/graph-api/guides/versioning
"""

from __future__ import annotations

import re
from datetime import date

from graphdouble.errors import GraphError

# name: (introduced, available until); None: not set yet.
VERSIONS: dict[str, tuple[date, date | None]] = {
    "v20.0": (date(2024, 5, 21), date(2026, 9, 24)),
    "v21.0": (date(2024, 10, 2), date(2027, 1, 21)),
    "v22.0": (date(2025, 1, 21), date(2027, 5, 20)),
    "v23.0": (date(2025, 5, 29), date(2027, 10, 8)),
    "v24.0": (date(2025, 10, 8), date(2028, 2, 18)),
    "v25.0": (date(2026, 2, 18), date(2028, 7, 29)),
    "v26.0": (date(2026, 7, 29), None),
}

_VERSION = re.compile(r"v[0-9]+\.[0-9]+")


def is_version(text: str) -> bool:
    """Whether a path segment has the form of a version."""
    return _VERSION.fullmatch(text) is not None


def serving(asked: str, today: date) -> str:
    """Return the version that answers, the header `facebook-api-version` of the answer.

    :raises GraphError: 2500, there is no such version (yet).
    """
    if asked not in VERSIONS or VERSIONS[asked][0] > today:
        raise GraphError(2500, f"Unknown path components: /{asked}")
    ended = VERSIONS[asked][1]
    if ended is None or today < ended:
        return asked
    return next(name for name, (_, end) in VERSIONS.items() if end is None or today < end)
