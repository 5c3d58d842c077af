"""One local environment for all tests that need something to run runbooks on.

The tests of this folder are ordered files: each leaves a release serving, and says which.
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import DEPLOYMENT
from tests.runbooks.harness import Environment

# It contracts the schema for good, after which releases of the other tests are refused: for an
# environment of its own, with LYO_TEST_STATE and LYO_TEST_CONTRACT=1.
collect_ignore = [] if os.environ.get("LYO_TEST_CONTRACT") else ["test_8_rollback_ladder.py"]


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """env=local with release v1 live."""
    return request.config.stash[DEPLOYMENT].environment()
