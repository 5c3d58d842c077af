"""The module ``run_lock``: takes an environment for a run, or sets and opens a lock by hand."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_controller import CONTROLLER_VARIABLE, FOLDER_VARIABLE, Controller
from ..lyo_ledger.record import Run
from ..lyo_ledger.store import Ledger
from ..lyo_progress import Progress
from . import decide
from .guardian import Guardian, leave, listen
from .record import HELD, Lock
from .store import LockStore, Overtaken

POLL_SECONDS = 1.0
FAILED = "FAILED"


class LockRefused(Exception):  # noqa: N818 - an answer, not a defect
    """Somebody else holds the lock; the message says who, and what can be done."""


def git_revision(folder: str) -> str:
    """Return the repository's revision, ``-dirty`` where it was changed, empty without git."""
    command = ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def owner() -> str:
    """Return who runs this: LYO_OWNER (a CI's job), else the user."""
    try:
        return os.environ.get("LYO_OWNER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


class Taking:
    """One taking of the lock.

    :param params: the module's arguments.
    """

    def __init__(
        self,
        aws: Aws,
        params: Mapping[str, Any],
        progress: Progress,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws, self.params, self.progress = aws, params, progress
        self.store = LockStore(aws, params["bucket"], params["lock_key"])
        self.waited = False
        self._sleep, self._clock = sleep, clock

    def wanted(self, run: str, now: str) -> Lock:
        """The lock of this run, its token still to be given."""
        return Lock(
            state=HELD,
            token=0,
            run=run,
            owner=owner(),
            host=socket.gethostname(),
            command=self.params["command"],
            message=self.params["message"],
            acquired_at=now,
            lease_seconds=0 if self.params["state"] == "held" else self.params["lease_seconds"],
        )

    def take(self, wanted: Lock) -> tuple[decide.Found, str]:
        """Take the lock, waiting for another's run as long as the caller will.

        :return: the lock as written, and what is worth saying about it.
        :raises LockRefused: somebody else holds it.
        """
        started = self._clock()
        while True:
            found = self.store.read()
            step, why = decide.first_step(
                found,
                self._clock() - started,
                self.params["wait_seconds"],
                self.params["take_over"],
            )
            if step == decide.REFUSE:
                raise LockRefused(why)
            if step == decide.TAKE:
                try:
                    return self.store.write(decide.next_lock(found, wanted), found), why
                except Overtaken:
                    continue
            self.waited = True
            self.progress("lock", why)
            self._sleep(POLL_SECONDS)


def begin(module: Any, aws: Aws) -> dict[str, Any]:
    """Take the lock for the run of this controller and leave the guardian beside it."""
    params = module.params
    controller, folder = os.environ.get(CONTROLLER_VARIABLE), os.environ.get(FOLDER_VARIABLE)
    if not controller or not folder:
        raise LockRefused(
            "the callback plugin lyo_progress is not enabled: it tells how the run ends. "
            "Start the runbook from the folder of its ansible.cfg"
        )
    now, run_id = datetime.now(UTC).isoformat(timespec="seconds"), secrets.token_hex(6)
    taking = Taking(aws, params, Progress("lock", aws.secrets))
    held, note = None, ""
    if params["exclusive"]:
        held, note = taking.take(taking.wanted(run_id, now))
    token = held.lock.token if held and held.lock else 0
    run = Run(
        run=run_id,
        token=token,
        env=params["env"],
        runbook=params["runbook"],
        command=params["command"],
        owner=owner(),
        host=socket.gethostname(),
        started_at=now,
        revision=git_revision(params["project_path"]),
        aim=params["aim"],
    )
    ledger = Ledger(aws, params["bucket"], params["ledger_prefix"])
    try:
        ledger.write(run)
        listener = listen(folder)
    except (AwsFailure, OSError):
        if held is not None and held.lock is not None:
            taking.store.write(held.lock.freed(), held)
        raise
    watched = Controller(int(controller))

    def guard(own: Aws) -> None:
        Guardian(
            watched,
            listener,
            LockStore(own, params["bucket"], params["lock_key"]) if held else None,
            held,
            Ledger(own, params["bucket"], params["ledger_prefix"]),
            run,
            params["lease_seconds"],
        ).watch()

    leave(guard, params["aws"], listener.fileno())
    fence = {"bucket": params["bucket"], "key": params["lock_key"], "token": token}
    return {
        "changed": False,  # the environment itself is as it was
        "run": run_id,
        "token": token,
        "waited": taking.waited,
        "note": note,
        "fence": fence if held else {},
    }


def by_hand(module: Any, aws: Aws) -> dict[str, Any]:
    """Set the lock by hand, or open it."""
    params = module.params
    taking = Taking(aws, params, Progress("lock", aws.secrets))
    found = taking.store.read()
    lock = found.lock
    if params["state"] == "held":
        if lock and lock.by_hand and lock.message == params["message"]:
            return {"changed": False, "token": lock.token, "note": "it is set already"}
        if module.check_mode:
            step, why = decide.first_step(found, 0.0, 0.0, params["take_over"])
            if step != decide.TAKE:
                raise LockRefused(why or decide.sentence(found))
            return {"changed": True, "token": 0, "note": "it would be set"}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        written, note = taking.take(taking.wanted("", now))
        assert written.lock is not None
        return {"changed": True, "token": written.lock.token, "note": note}
    if lock is None or not lock.held:
        return {"changed": False, "token": 0, "note": "nobody holds it"}
    if params["take_over"] != lock.token:
        raise LockRefused(
            f"{decide.sentence(found)}. Nothing was opened: -e token={lock.token} says that "
            "this very lock is meant"
        )
    if not module.check_mode:
        try:
            taking.store.write(lock.freed(), found)
        except Overtaken:
            raise LockRefused("somebody has just changed the lock: look again") from None
    return {"changed": True, "token": lock.token, "note": f"opened; {decide.holder(lock)} held it"}


def explain(failure: Exception, bucket: str, env: str) -> str:
    """Return what a person reads."""
    if isinstance(failure, AwsFailure) and failure.code == "NoSuchBucket":
        return (
            f"the state bucket {bucket} does not exist. "
            f"Type: ansible-playbook bootstrap.yml -e env={env}"
        )
    return str(failure)


def run(module: Any) -> None:
    """Run the module ``run_lock``."""
    aws = Aws(module.params["aws"])
    try:
        if module.params["state"] == "running":
            answer = (
                {"changed": False, "run": "", "token": 0, "waited": False, "note": "", "fence": {}}
                if module.check_mode
                else begin(module, aws)
            )
        else:
            answer = by_hand(module, aws)
    except (LockRefused, AwsFailure) as failure:
        text = explain(failure, module.params["bucket"], module.params["env"])
        module.fail_json(msg=text, verdict=FAILED, reasons=[text], changed=False)
    else:
        module.exit_json(**answer)
