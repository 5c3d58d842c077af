"""One server, one S3 and one backup for all tests of this folder; each test has databases of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backup.harness import ID, Bench
from tests.backup.schema import fill
from tests.backup.servers import servers


@pytest.fixture(scope="session")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with servers(tmp_path_factory.mktemp("backup"), lock=True) as made:
        made.fresh("live")
        fill(made, "live")
        yield made


@pytest.fixture
def bench(_servers: Bench) -> Iterator[Bench]:
    """The servers, with nothing that fails on purpose."""
    _servers.s3.door.open()
    yield _servers
    _servers.s3.door.open()


@pytest.fixture(scope="session")
def made(_servers: Bench) -> str:
    """A finished backup of `live`, for tests that only read it."""
    backup_id = ID.format("a")
    _servers.run("live", "dump", "--id", backup_id)
    return backup_id


# How the IDs of backups begin that belong to one test.
NEW = "20261127T130000Z-"
_number = iter(range(1, 10_000))


def new_id() -> str:
    """An ID that no other test has."""
    return f"{NEW}{next(_number):08x}"
