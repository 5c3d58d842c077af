"""How much of everything is tried."""

from __future__ import annotations

import os

# `make chaos` sets it: every schedule, instead of what fits into `make test`.
EVERYTHING = os.environ.get("LYO_CHAOS") == "all"
