"""Carries the output of containers to CloudWatch Logs without holding the containers up.

One thread reads every pipe, another delivers. Like the awslogs driver in its default mode
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html), what does not fit
in a container's buffer is dropped rather than stopping the container's writes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import IO

log = logging.getLogger(__name__)

#: Buffer of one container, bytes; the driver's default ``max-buffer-size``.
BUFFER_BYTES = 10 * 1024 * 1024
#: Longest event CloudWatch Logs takes, bytes; longer lines are cut into several.
EVENT_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
#: Wall seconds for which lines are collected before they are delivered.
_GATHER = 0.05

Deliver = Callable[[Sequence[tuple[int, str]]], None]


class Channel:
    """One stream of output of a container on its way."""

    def __init__(self, pipe: IO[bytes], deliver: Deliver) -> None:
        self.pipe = pipe
        self.deliver = deliver
        self.lines: deque[tuple[int, str]] = deque()
        self.buffered = 0
        self.partial = b""
        self.ended = False
        #: Set once everything the container wrote has been delivered.
        self.delivered = threading.Event()

    def feed(self, data: bytes, now_ms: int) -> None:
        """Cut what was read into lines; the rest waits for its end."""
        *whole, self.partial = (self.partial + data).split(b"\n")
        for line in whole:
            self._add(line, now_ms)
        while len(self.partial) >= EVENT_BYTES:
            self._add(self.partial[:EVENT_BYTES], now_ms)
            self.partial = self.partial[EVENT_BYTES:]

    def finish(self, now_ms: int) -> None:
        """A last line may lack its newline."""
        if self.partial:
            self._add(self.partial, now_ms)
        self.partial = b""
        self.ended = True

    def _add(self, line: bytes, now_ms: int) -> None:
        line = line.removesuffix(b"\r")
        # CloudWatch Logs takes no empty events; the driver leaves them out.
        if not line or self.buffered + len(line) > BUFFER_BYTES:
            return
        for start in range(0, len(line), EVENT_BYTES):
            part = line[start : start + EVENT_BYTES]
            self.lines.append((now_ms, part.decode(errors="replace")))
            self.buffered += len(part)


class LogPump:
    """Reads and delivers for every container of one local cloud."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._new: list[Channel] = []
        self._abandoned: list[Channel] = []
        self._channels: list[Channel] = []
        self._work = threading.Event()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._read, name="log-reader", daemon=True),
            threading.Thread(target=self._deliver, name="log-writer", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def add(self, pipe: IO[bytes], deliver: Deliver) -> Channel:
        """Read a pipe to its end; ``deliver`` gets (epoch milliseconds, line) lists."""
        os.set_blocking(pipe.fileno(), False)
        channel = Channel(pipe, deliver)
        with self._lock:
            self._new.append(channel)
            self._channels.append(channel)
        self._wake()
        return channel

    def finish(self, channel: Channel, timeout: float) -> None:
        """Wait until all is delivered; a pipe that something keeps open is given up after it.

        timeout: wall seconds.
        """
        if channel.delivered.wait(timeout):
            return
        with self._lock:
            self._abandoned.append(channel)
        self._wake()
        channel.delivered.wait(timeout)

    def stop(self) -> None:
        """Deliver what is read and end both threads."""
        self._stopping = True
        self._wake()
        for thread in self._threads:
            thread.join(timeout=3)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b"\0")

    def _read(self) -> None:
        while not self._stopping:
            ready = self._selector.select()
            with self._lock:
                new, self._new = self._new, []
                abandoned, self._abandoned = self._abandoned, []
            for channel in new:
                self._selector.register(channel.pipe, selectors.EVENT_READ, channel)
            now = int(time.time() * 1000)
            for key, _ in ready:
                if key.data is None:
                    os.read(self._wake_read, 4096)
                else:
                    self._read_from(key.data, now)
            for channel in abandoned:
                if not channel.ended:
                    self._end(channel, now)
            self._work.set()
        self._work.set()

    def _read_from(self, channel: Channel, now: int) -> None:
        try:
            data = os.read(channel.pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        with self._lock:
            if data:
                channel.feed(data, now)
        if not data:
            self._end(channel, now)

    def _end(self, channel: Channel, now: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(channel.pipe)
        with self._lock:
            channel.finish(now)
        with contextlib.suppress(OSError):
            channel.pipe.close()

    def _deliver(self) -> None:
        while not self._stopping:
            self._work.wait()
            self._work.clear()
            self._deliver_waiting()
            # Gather for a moment, or every line of a chatty container is a delivery of its own.
            time.sleep(_GATHER)
        self._deliver_waiting()

    def _deliver_waiting(self) -> None:
        with self._lock:
            channels = list(self._channels)
        for channel in channels:
            with self._lock:
                lines = list(channel.lines)
                channel.lines.clear()
                channel.buffered = 0
                ended = channel.ended
            if lines:
                try:
                    channel.deliver(lines)
                except Exception:
                    log.exception("could not deliver %d log lines", len(lines))
            if ended:
                with self._lock:
                    self._channels.remove(channel)
                channel.delivered.set()
