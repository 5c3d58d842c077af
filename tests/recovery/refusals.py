"""What must not be switched to, or not without a word: refused, and what serves serves on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.recovery.site import Site
from tests.runbooks import recovery

OTHER = "lyo-local-other"
CREATED_SECONDS = 120.0


@dataclass(frozen=True)
class Refusal:
    """Something that was asked for and must be refused.

    :ivar what: what it is.
    :ivar command: the arguments of restore.yml.
    :ivar says: what its message has to say.
    :ivar wrong: what was not as it must be.
    """

    what: str
    command: tuple[str, ...]
    says: str
    wrong: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it was refused with that message, and changed nothing."""
        return not self.wrong


# Refused before anything is written.
AT_ONCE = (
    Refusal(
        "no word where the environment asks for one",
        ("lyo_restore_asks=true", "from=time", "time=latest"),
        "-e restore=local",
    ),
    Refusal(
        "another environment's word",
        ("lyo_restore_asks=true", "from=time", "time=latest", "restore=production"),
        "-e restore=local",
    ),
    Refusal(
        "a second before the first backup",
        ("from=time", "time=2020-01-01T00:00:00Z"),
        "cannot be reached",
    ),
    Refusal(
        "a backup that is not there",
        ("from=logical", "backup=20200101T000000Z-00000000"),
        "there is no backup",
    ),
    Refusal(
        "a snapshot that is not there",
        ("from=snapshot", "snapshot=no-such"),
        "there is no snapshot",
    ),
)
# Seen when it was restored; the instance is deleted by hand (-e discard=true) or by the next restore.
NOT_SWITCHED_TO = (
    Refusal(
        "a snapshot of an empty database",
        ("from=snapshot", f"snapshot={OTHER}-empty"),
        "cannot be counted",
    ),
    Refusal(
        "a snapshot of another application's",
        ("from=snapshot", f"snapshot={OTHER}-foreign"),
        "cannot be counted",
    ),
)


def all_of(site: Site, told: Callable[[str], None]) -> list[Refusal]:
    """Ask for all of them."""
    found = [_tried(site, one, told, writes=False) for one in AT_ONCE]
    with _other(site):
        found += [_tried(site, one, told, writes=True) for one in NOT_SWITCHED_TO]
        site.restore("discard=true")
    return found


def _tried(site: Site, one: Refusal, told: Callable[[str], None], *, writes: bool) -> Refusal:
    environment = site.environment
    served = recovery.serving(environment)
    with recovery.guests(environment) as booking:
        run = site.restore(*one.command)
        booking.wait(20)
    lost = booking.before(run.started) - recovery.messages(environment, served)
    made = {call.operation for call in environment.calls(run.started, writes=True)}
    wrong = (
        "" if run.returncode == 2 else f"it ended with {run.returncode}",
        "" if one.says in run.output else f"it does not say {one.says!r}:\n{run.output}",
        "" if recovery.serving(environment) == served else "it was switched to",
        f"{len(lost)} messages are gone" if lost else "",
        # The lock and the ledger.
        "" if writes or made <= {"PutObject"} else f"it wrote: {', '.join(sorted(made))}",
    )
    done = Refusal(one.what, one.command, one.says, tuple(text for text in wrong if text))
    told(f"{one.what}: {'refused' if done.good else done.wrong}")
    return done


@contextmanager
def _other(site: Site) -> Iterator[None]:
    """Snapshots of an instance of this environment whose database nobody's application has made."""
    environment, rds = site.environment, site.rds
    names = (f"{OTHER}-empty", f"{OTHER}-foreign")
    rds.create_db_instance(
        DBInstanceIdentifier=OTHER,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        DBName=environment.outputs["database"]["name"],
        MasterUsername=environment.outputs["database"]["username"],
        ManageMasterUserPassword=True,
        BackupRetentionPeriod=0,
    )
    try:
        _wait(site)
        rds.create_db_snapshot(DBInstanceIdentifier=OTHER, DBSnapshotIdentifier=names[0])
        _wait(site)
        with recovery.database(environment, OTHER) as connection:
            connection.execute("CREATE TABLE products AS SELECT 1 AS id")
        rds.create_db_snapshot(DBInstanceIdentifier=OTHER, DBSnapshotIdentifier=names[1])
        _wait(site)
        yield
    finally:
        site.delete_instance(OTHER, SkipFinalSnapshot=True)
        for name in names:
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def _wait(site: Site) -> None:
    end = time.monotonic() + CREATED_SECONDS
    while recovery.described(site.environment, OTHER)["DBInstanceStatus"] != "available":
        assert time.monotonic() < end
        time.sleep(0.5)


def table(found: Sequence[Refusal]) -> str:
    """The refusals for Markdown."""
    lines = ["| refused, nothing switched | `restore.yml` | because |", "|---|---|---|"]
    for one in found:
        command = " ".join(f"-e {argument}" for argument in one.command)
        lines.append(
            f"| {one.what}{'' if one.good else ' **FAILED**'} | `{command}` | {one.says} |"
        )
    return "\n".join(lines)
