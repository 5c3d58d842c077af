"""Starts the slow deployment that some tests need before the first test runs."""

from __future__ import annotations

import os

import pytest

from tests.runbooks.deployment import Deployment

DEPLOYMENT = pytest.StashKey[Deployment]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whatever ends the shared environment comes last, and never for a borrowed one."""
    items.sort(key=lambda item: item.get_closest_marker("late") is not None)
    ending = [item for item in items if item.get_closest_marker("ends_environment")]
    items[:] = [item for item in items if item not in ending]
    if os.environ.get("LYO_TEST_STATE"):
        config.hook.pytest_deselected(items=ending)
    else:
        items += ending


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
