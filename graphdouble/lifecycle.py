"""Starting, finding and stopping doubles."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from graphdouble.client import DoubleClient
from graphdouble.loopback import is_loopback

# Says that a folder is a double's, so that `down` never removes anything else.
_MARKER = "GRAPHDOUBLE"
_START_TIMEOUT = 30.0
_ROOT = Path(__file__).resolve().parents[1]


class LifecycleError(Exception):
    """A double cannot be started, found or stopped; the message says what to do."""


def _alive(state: Path) -> psutil.Process | None:
    """The recorded process, if it still is the one that was started."""
    try:
        record = json.loads((state / "daemon.json").read_text())
        process = psutil.Process(record["pid"])
        if abs(process.create_time() - record["created"]) < 0.5 and process.status() != "zombie":
            return process
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        pass
    return None


def running(state: Path) -> dict[str, Any] | None:
    """double.json of the double in `state`, None when none is up there."""
    if _alive(state) is None:
        return None
    try:
        content: dict[str, Any] = json.loads((state / "double.json").read_text())
    except (OSError, ValueError):
        return None
    return content


def require_running(state: Path) -> dict[str, Any]:
    """Like `running`; raises LifecycleError when none is up."""
    found = running(state)
    if found is None:
        raise LifecycleError(
            f"no double is up in {state}: start one with `python -m graphdouble up`."
        )
    return found


def up(
    state: Path, *, host: str = "127.0.0.1", port: int = 0, ca_bundle: Path | None = None
) -> dict[str, Any]:
    """Start a double and wait until it answers; returns its double.json.

    :param host: a loopback address. :param port: 0 for a free one.
    :param ca_bundle: PEM file; callback URLs must have a certificate of these authorities.
    :raises LifecycleError: nothing is left behind then.
    """
    if not is_loopback(host):
        raise LifecycleError(f"--host {host} is not a loopback address: choose one of 127.0.0.0/8.")
    if ca_bundle is not None and not ca_bundle.is_file():
        raise LifecycleError(f"--ca {ca_bundle}: no such file.")
    if running(state) is not None:
        raise LifecycleError(
            f"a double is up in {state}: end it with `python -m graphdouble down`."
        )
    if state.exists() and any(state.iterdir()) and not (state / _MARKER).exists():
        raise LifecycleError(
            f"{state} is not empty and not a double's folder: choose another one with --state."
        )
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    (state / _MARKER).touch()
    command = [sys.executable, "-m", "graphdouble.daemon", str(state), host, str(port)]
    if ca_bundle is not None:
        command.append(str(ca_bundle.resolve()))
    with (state / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    with contextlib.suppress(psutil.NoSuchProcess):
        created = psutil.Process(daemon.pid).create_time()
        (state / "daemon.json").write_text(json.dumps({"pid": daemon.pid, "created": created}))
    deadline = time.monotonic() + _START_TIMEOUT
    while (found := running(state)) is None:
        if daemon.poll() is not None or time.monotonic() > deadline:
            daemon.kill()
            daemon.wait()
            tail = (state / "daemon.log").read_text(errors="replace").strip().splitlines()[-5:]
            shutil.rmtree(state)
            raise LifecycleError("the double did not start; its log ends:\n  " + "\n  ".join(tail))
        time.sleep(0.02)
    return found


def down(state: Path) -> str:
    """Stop the double in `state`, remove the folder; returns what to say. Safe to call twice."""
    if not state.exists():
        return f"no double in {state}"
    if not (state / _MARKER).exists():
        raise LifecycleError(f"{state} is not a double's folder; nothing was touched.")
    process = _alive(state)
    if process is not None:
        process.terminate()
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    shutil.rmtree(state)
    return f"double in {state} is down"


@contextlib.contextmanager
def started(
    state: Path, *, host: str = "127.0.0.1", port: int = 0, ca_bundle: Path | None = None
) -> Iterator[DoubleClient]:
    """For tests: a double in a process of its own, gone at the end."""
    found = up(state, host=host, port=port, ca_bundle=ca_bundle)
    try:
        yield DoubleClient(found["endpoint"])
    finally:
        down(state)
