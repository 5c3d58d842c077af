"""Starting, finding and stopping local clouds."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from localcloud.children import kill_recorded
from localcloud.dataplane.tasks.leftovers import kill_leftovers
from localcloud.settings import API_PORT, HIGHEST_NUMBER, ROOT, Addresses

# Says that a folder is a local cloud's, so that `down` never removes anything else.
_MARKER = "LOCALCLOUD"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 60.0


class LifecycleError(Exception):
    """A local cloud cannot be started, found or stopped; the message says what to do."""


def _kill_what_is_left(state: Path) -> int:
    """End recorded children, then what they started elsewhere; returns how many were found."""
    children = kill_recorded(state)
    strays = kill_leftovers(state / "tasks")
    return len(children) + len(strays)


def _daemon_alive(state: Path) -> psutil.Process | None:
    """The process recorded in the folder, if it still is the one that was started."""
    try:
        record = json.loads((state / "daemon.json").read_text())
        process = psutil.Process(record["pid"])
        if abs(process.create_time() - record["created"]) < 0.5 and process.status() != "zombie":
            return process
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        pass
    return None


def running(state: Path) -> dict[str, Any] | None:
    """cloud.json of the local cloud in `state`, None when none is up there."""
    if _daemon_alive(state) is None:
        return None
    try:
        content: dict[str, Any] = json.loads((state / "cloud.json").read_text())
    except (OSError, ValueError):
        return None
    return content


def require_running(state: Path) -> dict[str, Any]:
    """Like `running`; raises LifecycleError when none is up."""
    cloud = running(state)
    if cloud is None:
        raise LifecycleError(
            f"no local cloud is up in {state}: start one with `make demo` or `python -m localcloud up`."
        )
    return cloud


def _claim(number: int) -> socket.socket | None:
    """Claim a number until the local cloud that is started with it has bound its port.

    None when it is taken, or another `up` starts with it at this moment. The claim is a name in
    Linux's abstract namespace: it is gone with this process, whatever ends it.
    """
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0localcloud-{number}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((Addresses(number).api, API_PORT))
    except OSError:
        claim.close()
        return None
    return claim


def _claim_first_free() -> tuple[int, socket.socket]:
    for number in range(1, HIGHEST_NUMBER + 1):
        claim = _claim(number)
        if claim is not None:
            return number, claim
    raise LifecycleError(
        f"all {HIGHEST_NUMBER} numbers are in use: end a local cloud with `python -m localcloud down`."
    )


def _clear_stale(state: Path, say: Callable[[str], None]) -> None:
    """Make room where a local cloud has died; refuse a folder that is not a local cloud's."""
    if not state.exists() or not any(state.iterdir()):
        return
    if not (state / _MARKER).exists():
        raise LifecycleError(
            f"{state} is not empty and not a local cloud's folder: choose another one with --state, or empty it."
        )
    if _daemon_alive(state) is not None:
        raise LifecycleError(
            f"a local cloud is starting or stopping in {state}: wait, or end it with `python -m localcloud down`."
        )
    killed = _kill_what_is_left(state)
    shutil.rmtree(state)
    left = f", {killed} left-over processes ended" if killed else ""
    say(f"localcloud: cleared what a local cloud that did not stop cleanly left in {state}{left}")


def up(
    state: Path,
    *,
    number: int | None,
    speed: float,
    region: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Start a local cloud and wait until it answers; returns its cloud.json.

    number: 1 to 200, None for the first free one. speed: cloud seconds per wall second.
    Raises LifecycleError; nothing is left behind then.
    """
    if not 0.01 <= speed <= 1000:
        raise LifecycleError(f"--speed must be between 0.01 and 1000, not {speed:g}.")
    if number is None:
        number, claim = _claim_first_free()
    elif (claimed := _claim(number)) is not None:
        claim = claimed
    else:
        raise _port_in_use(number)
    with claim:
        _clear_stale(state, say)
        return _start(state, number, speed, region)


def _start(state: Path, number: int, speed: float, region: str) -> dict[str, Any]:
    state.mkdir(parents=True, exist_ok=True)
    (state / _MARKER).touch()
    with (state / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "localcloud.daemon",
                str(state),
                str(number),
                str(speed),
                region,
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    with contextlib.suppress(psutil.NoSuchProcess):
        created = psutil.Process(daemon.pid).create_time()
        (state / "daemon.json").write_text(json.dumps({"pid": daemon.pid, "created": created}))
    deadline = time.monotonic() + _START_TIMEOUT
    while (cloud := running(state)) is None:
        code = daemon.poll()
        if code is not None or time.monotonic() > deadline:
            raise _start_failed(state, daemon, code, number)
        time.sleep(0.05)
    return cloud


def _port_in_use(number: int) -> LifecycleError:
    return LifecycleError(
        f"{Addresses(number).api}:{API_PORT} is in use by another program (another local cloud?): "
        "leave --number out to take the first free one, or end that program."
    )


def _start_failed(
    state: Path, daemon: subprocess.Popen[bytes], code: int | None, number: int
) -> LifecycleError:
    if code is None:
        daemon.kill()
        daemon.wait()
    tail = (state / "daemon.log").read_text(errors="replace").strip().splitlines()[-15:]
    _kill_what_is_left(state)
    shutil.rmtree(state, ignore_errors=True)
    if any(line.startswith("localcloud-port-in-use") for line in tail):
        return _port_in_use(number)
    why = "did not answer in time" if code is None else f"ended with code {code}"
    return LifecycleError(f"the local cloud {why}; its log ends:\n  " + "\n  ".join(tail))


def down(state: Path) -> str:
    """Stop the local cloud in `state`, remove the folder; returns what to say.

    Safe to call at any time, twice, or after the local cloud was killed.
    """
    if not state.exists():
        return f"no local cloud in {state}"
    if not (state / _MARKER).exists():
        raise LifecycleError(f"{state} is not a local cloud's folder; nothing was touched.")
    process = _daemon_alive(state)
    if process is not None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    killed = _kill_what_is_left(state)
    shutil.rmtree(state)
    left = f"; {killed} left-over processes ended" if killed else ""
    return f"local cloud in {state} is down{left}"
