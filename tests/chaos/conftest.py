"""The environment that the runbooks' tests have left, and how much of everything is tried."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chaos.kill_table import ALL
from tests.conftest import DEPLOYMENT
from tests.runbooks.harness import Environment

# How the rows of the kill tables are tried.
MODE = os.environ.get("LYO_CHAOS", "")
# `make chaos` sets it: every row and every schedule, instead of what fits into `make test`.
EVERYTHING = MODE == ALL
# Kills take too long for every run of the tests: `make chaos`, or LYO_CHAOS=chain for a part.
_KILLS = ["test_2_kills.py", "test_3_data_kills.py", "test_4_restore_kills.py"]
collect_ignore = [] if MODE else _KILLS


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """env=local with some release live."""
    return request.config.stash[DEPLOYMENT].environment()


@pytest.fixture(scope="module")
def ops_image(environment: Environment) -> Iterator[None]:
    """The ops image is there; what is made by hand here goes at the end."""
    run = environment.run("ops_image.yml")
    assert run.returncode == 0, run.output
    yield
    rds, cache = environment.client("rds"), environment.client("elasticache")
    for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]:
        rds.delete_db_snapshot(DBSnapshotIdentifier=one["DBSnapshotIdentifier"])
    for one in cache.describe_snapshots(SnapshotSource="user")["Snapshots"]:
        cache.delete_snapshot(SnapshotName=one["SnapshotName"])
