"""The sending side: open loop, one task a request, no retry of any kind."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from tests.load.mix import Shot, Shots
from tests.load.report import BODY_KEPT, Outcome, Report, report

TIMEOUT_SECONDS = 10.0  # for an answer, besides what a request is meant to take


class _Client:
    """Sends single requests, over kept or fresh connections."""

    def __init__(self, url: str, ca: Path | None, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        tls = ssl.create_default_context(cafile=ca) if ca else True
        self._kept = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls))
        self._fresh = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls, force_close=True)
        )
        # aiohttp silently repeats a GET when a kept connection turns out to be closed; there is no
        # public switch. A broken connection is what we are here to count.
        self._kept._retry_connection = False
        self._fresh._retry_connection = False

    async def close(self) -> None:
        await self._kept.close()
        await self._fresh.close()

    async def send(self, shot: Shot) -> tuple[str | None, str, str | None]:
        """Return the kind of failure (None: got 200), its detail, and the release that answered."""
        session = self._fresh if shot.fresh else self._kept
        try:
            async with session.request(
                shot.method,
                self._url + shot.path,
                data=shot.body,
                headers=shot.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._timeout + shot.extra_seconds),
            ) as response:
                body = await response.read()
        except TimeoutError:
            return "timeout", f"no answer in {self._timeout + shot.extra_seconds:g} s", None
        except aiohttp.ClientConnectorError as error:
            return "connect", str(error), None
        except (aiohttp.ClientError, OSError) as error:
            return "connection", f"{type(error).__name__}: {error}", None
        if response.status != 200:
            text = body[: BODY_KEPT * 4].decode(errors="replace")[:BODY_KEPT]
            return f"status {response.status}", text, _release(body)
        return None, "", _release(body)


def _release(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["release"])
    except (ValueError, KeyError, TypeError):
        return None


async def run(
    url: str,
    shots: Shots,
    rate: float,
    seconds: float | None,
    stop: asyncio.Event,
    ca: Path | None = None,
    timeout: float = TIMEOUT_SECONDS,
    outcomes: list[Outcome] | None = None,
) -> Report:
    """Send `rate` requests a second for `seconds`, or until `stop`; wait for all; report.

    Each request's outcome is added to `outcomes`.

    Request i is meant to leave i/rate seconds after the start. One that leaves late, because this
    process was busy, is measured from when it should have left.
    """
    client = _Client(url, ca, timeout)
    outcomes = [] if outcomes is None else outcomes
    tasks: set[asyncio.Task[None]] = set()
    started, zero = datetime.now(UTC), time.monotonic()

    async def one(shot: Shot, intended: float) -> None:
        lag = time.monotonic() - zero - intended
        kind, detail, release = await client.send(shot)
        latency = time.monotonic() - zero - intended
        outcomes.append(
            Outcome(intended, shot.kind, shot.fresh, latency, lag, kind, detail, release)
        )

    number = 0
    try:
        while not stop.is_set() and (seconds is None or number < round(rate * seconds)):
            intended = number / rate
            pause = intended - (time.monotonic() - zero)
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(one(shots.next(), intended))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        sent_for = time.monotonic() - zero
        await asyncio.gather(*tasks)
    finally:
        await client.close()
    if len(outcomes) != number:  # an exception nobody foresaw must not look like a success
        raise RuntimeError(f"{number} requests were sent, {len(outcomes)} accounted for")
    return report(url, rate, started, sent_for, outcomes)
