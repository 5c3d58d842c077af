"""Starts the slow deployment that some tests need before the first test runs."""

from __future__ import annotations

import pytest

from tests.runbooks.deployment import Deployment

DEPLOYMENT = pytest.StashKey[Deployment]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Deploy only when a collected test needs it, and tests are run at all."""
    needed = any(_needs_deployment(item) for item in session.items)
    if needed and not session.config.option.collectonly:
        session.config.stash[DEPLOYMENT] = Deployment()


def _needs_deployment(item: pytest.Item) -> bool:
    """Whether a test takes the fixture `environment`, and not a parameter of that name."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return "environment" in getattr(item, "fixturenames", ()) and "environment" not in parameters


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave nothing running."""
    deployment = session.config.stash.get(DEPLOYMENT, None)
    if deployment is not None:
        deployment.remove()
