"""Starts the slow deployment that some tests need before the first test runs."""

from __future__ import annotations

import pytest

from tests.runbooks.deployment import Deployment

DEPLOYMENT = pytest.StashKey[Deployment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Deploy only when a collected test needs it, and tests are run at all."""
    needed = any("environment" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not session.config.option.collectonly:
        session.config.stash[DEPLOYMENT] = Deployment()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave nothing running."""
    deployment = session.config.stash.get(DEPLOYMENT, None)
    if deployment is not None:
        deployment.remove()
