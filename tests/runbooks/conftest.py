"""One local environment for all tests that need something to run runbooks on.

The tests of this folder are ordered files: each leaves a release serving, and says which.
"""

from __future__ import annotations

import pytest

from tests.conftest import DEPLOYMENT
from tests.runbooks.harness import Environment


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """env=local with release v1 live."""
    return request.config.stash[DEPLOYMENT].environment()
