"""The process that stays beside a run: renews its lock, and ends lock and record with it.

It is forked by the task that takes the lock and watches the controller (``ansible-playbook``). Three
ends are possible. The controller says how the run ended (the callback plugin does, over a socket):
the record is completed, the lock freed, the answer sent. The controller dies: the same, with the
verdict KILLED. The machine dies: nothing renews the lock any more, and its lease runs out.

Nothing else renews the lock, so a lock never outlives its run by more than a lease.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_controller import Controller, leave_run
from ..lyo_ledger.record import Run, ended
from ..lyo_ledger.store import Ledger
from .decide import Found
from .store import LockStore, Overtaken

SOCKET_NAME = "guardian"
MAX_END_BYTES = 1 << 20
LOOK_SECONDS = 1.0


class Guardian:
    """The loop of the process.

    :param lock: the lock as it was taken; None for a run that only keeps a record.
    :param run: the run's record as it was begun.
    :param lease_seconds: the lock's lease; it is renewed four times in one.
    """

    def __init__(
        self,
        controller: Controller,
        listener: socket.socket,
        store: LockStore | None,
        held: Found | None,
        ledger: Ledger,
        run: Run,
        lease_seconds: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.controller, self.listener = controller, listener
        self.store, self.held = store, held
        self.ledger, self.run = ledger, run
        self.lease_seconds = lease_seconds
        self._clock = clock
        self._sleep = sleep
        self._renewed = clock()
        self._left: dict[str, Callable[[], None]] = {}

    def watch(self) -> None:
        """Until the run has ended."""
        while True:
            ready, _, _ = select.select([self.listener], [], [], LOOK_SECONDS)
            if ready and self._told():
                break
            if not self.controller.alive():
                self.end(None)
                break
            self._renew_in_time()
        self._persist()

    def _persist(self) -> None:
        """What could not be written at the end is tried again, for as long as a lease lasts."""
        give_up = self._clock() + self.lease_seconds
        while self._left and self._clock() < give_up:
            self._sleep(LOOK_SECONDS)
            self._finish()

    def _renew_in_time(self) -> None:
        if self.store is None or self.held is None or self.held.lock is None:
            return
        if self._clock() - self._renewed < self.lease_seconds / 4 or self.controller.stopped():
            return
        try:
            self.held = self.store.write(self.held.lock, self.held)
            self._renewed = self._clock()
        except Overtaken:
            self.held = None  # the run's next write is refused; its record is still to be ended
        except AwsFailure:
            return  # the next look tries again; the lease covers four of them

    def _told(self) -> bool:
        """Take what the controller says; whether it said how the run ended."""
        with contextlib.suppress(OSError):
            peer, _ = self.listener.accept()
            with peer:
                peer.settimeout(5)
                end = _receive(peer)
                if end is None:
                    return False
                problem = self.end(end)
                with contextlib.suppress(OSError):
                    peer.sendall(json.dumps({"problem": problem}).encode())
            return True
        return False

    def end(self, end: Mapping[str, Any] | None) -> str:
        """Complete the record and free the lock; return what went wrong, empty when nothing did."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = ended(self.run, end, now)
        self._left = {
            "the ledger has no end of this run": lambda: self.ledger.write(record),
            "the lock is free only after its lease": self._free,
        }
        return self._finish()

    def _finish(self) -> str:
        problems = []
        for what, write in list(self._left.items()):
            try:
                write()
            except AwsFailure as failure:
                problems.append(f"{what}: {failure.message}")
                if failure.passing:
                    continue
            del self._left[what]
        return "; ".join(problems)

    def _free(self) -> None:
        if self.store is None or self.held is None or self.held.lock is None:
            return
        with contextlib.suppress(Overtaken):
            self.store.write(self.held.lock.freed(), self.held)


def _receive(peer: socket.socket) -> dict[str, Any] | None:
    data = b""
    try:
        while not data.endswith(b"\n") and len(data) < MAX_END_BYTES:
            chunk = peer.recv(65536)
            if not chunk:
                break
            data += chunk
        end = json.loads(data)
    except (OSError, ValueError):
        return None
    return end if isinstance(end, dict) else None


def listen(folder: str) -> socket.socket:
    """Return the socket the controller speaks to, in its own folder (mode 0700)."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = Path(folder, SOCKET_NAME)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    listener.listen(2)
    return listener


def leave(guard: Callable[[Aws], None], options: Mapping[str, Any], keep: int) -> None:
    """Run ``guard`` in a process of its own that outlives this one; return at once.

    The credentials go with the memory: neither arguments nor environment have them.

    :param guard: what the process does, given an :class:`Aws` of its own.
    :param keep: the file descriptor that stays open.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    # From here on nothing may return into the module: whatever happens, the process ends here.
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Ansible's own processes have a handler for it, which is not for this one.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _close_all_but(keep)
        leave_run()
        guard(Aws(options))
    finally:
        os._exit(0)


def _close_all_but(keep: int) -> None:
    """Let go of everything inherited: an open pipe would make Ansible wait for this process."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    highest = os.sysconf("SC_OPEN_MAX") if hasattr(os, "sysconf") else 4096
    os.closerange(3, keep)
    os.closerange(keep + 1, min(highest, 65536))
    os.chdir("/")
