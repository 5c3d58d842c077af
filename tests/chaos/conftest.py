"""The environment that the runbooks' tests have left, and how much of everything is tried."""

from __future__ import annotations

import os

import pytest

from tests.conftest import DEPLOYMENT
from tests.runbooks.harness import Environment

# `make chaos` sets it: every row and every schedule, instead of what fits into `make test`.
EVERYTHING = os.environ.get("LYO_CHAOS") == "all"
# Kills take too long for every run of the tests: `make chaos`, or LYO_CHAOS=chain for a part.
collect_ignore = [] if os.environ.get("LYO_CHAOS") else ["test_2_kills.py", "test_3_data_kills.py"]


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """env=local with some release live."""
    return request.config.stash[DEPLOYMENT].environment()
