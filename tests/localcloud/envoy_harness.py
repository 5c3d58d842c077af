"""Targets, clients and an Envoy for the tests of the data plane."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from localcloud.children import Children
from localcloud.dataplane.envoy.model import (
    Configuration,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Rule,
    Target,
    TargetGroup,
)
from localcloud.dataplane.envoy.plane import Plane

SPEED = 20.0
PORT = 8080


@contextlib.contextmanager
def network() -> Iterator[int]:
    """A number whose 127.N.0.0/16 nobody else uses; local clouds end at 200."""
    for number in range(201, 255):
        claim = socket.socket()
        try:
            claim.bind((f"127.{number}.0.1", 4566))
        except OSError:
            claim.close()
            continue
        claim.listen()
        with claim:
            yield number
        return
    raise AssertionError("no free loopback network")


@contextlib.contextmanager
def running_plane(root: Path, number: int) -> Iterator[Plane]:
    """An Envoy of its own."""
    children = Children(root)

    def start(name: str, argv: list[str], folder: Path, output: Path) -> subprocess.Popen[bytes]:
        return children.start(name, argv, cwd=folder, stdout=output)

    (root / "envoy").mkdir()
    plane = Plane(root / "envoy", SPEED, f"test-{number}", start, children.stop)
    plane.start()
    try:
        yield plane
    finally:
        plane.close()


@dataclass
class Backend:
    """A target: answers its name, slowly on `/slow?seconds=`, and `health_code` on `/health`."""

    name: str
    ip: str
    health_code: int = 200
    health_delay: float = 0.0
    served: int = 0
    last_headers: dict[str, str] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    @property
    def target(self) -> Target:
        return Target(self.ip, PORT)

    @property
    def leaving(self) -> Target:
        return Target(self.ip, PORT, draining=True)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/health", self._health)
        app.router.add_route("*", "/slow", self._slow)
        app.router.add_route("*", "/hangup", self._hangup)
        app.router.add_get("/echo", self._echo)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, keepalive_timeout=5.0, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.ip, PORT).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _: web.Request) -> web.Response:
        await asyncio.sleep(self.health_delay)
        return web.Response(status=self.health_code)

    async def _answer(self, request: web.Request) -> web.Response:
        self.served += 1
        self.last_headers = {name.lower(): value for name, value in request.headers.items()}
        return web.Response(text=self.name)

    async def _slow(self, request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query["seconds"]))
        return await self._answer(request)

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        conversation = web.WebSocketResponse()
        await conversation.prepare(request)
        async for message in conversation:
            await conversation.send_str(f"{self.name}: {message.data}")
        return conversation

    async def _hangup(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@contextlib.asynccontextmanager
async def backends(number: int, *names: str) -> AsyncIterator[list[Backend]]:
    """Backends that listen at 127.N.250.1, .2, …, which no task of a test's cloud gets."""
    made = [Backend(name, f"127.{number}.250.{index}") for index, name in enumerate(names, 1)]
    for backend in made:
        await backend.start()
    try:
        yield made
    finally:
        for backend in made:
            await backend.stop()


@dataclass
class Load:
    """A constant load by POST, which neither client nor proxy may send twice."""

    url: str
    rate: int = 100
    answers: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.answers.values()) + len(self.failures)

    @contextlib.asynccontextmanager
    async def running(self, **session: object) -> AsyncIterator[None]:
        """Send requests over kept connections while the block runs, and wait for every answer."""
        pending: set[asyncio.Task[None]] = set()
        stop = asyncio.Event()

        async def send() -> None:
            loop = asyncio.get_running_loop()
            begin, sent = loop.time(), 0
            while not stop.is_set():
                while sent < (loop.time() - begin) * self.rate:
                    task = asyncio.create_task(self._one(client))
                    pending.add(task)
                    task.add_done_callback(pending.discard)
                    sent += 1
                await asyncio.sleep(0.01)

        connector = aiohttp.TCPConnector(limit=200, ssl=session.pop("ssl", True))  # type: ignore[arg-type]
        async with aiohttp.ClientSession(connector=connector) as client:
            sender = asyncio.create_task(send())
            try:
                yield
            finally:
                stop.set()
                await sender
                await asyncio.gather(*pending)

    async def _one(self, client: aiohttp.ClientSession) -> None:
        try:
            async with client.post(self.url, timeout=aiohttp.ClientTimeout(15)) as answer:
                text = await answer.text()
                if answer.status == 200:
                    self.answers[text] += 1
                else:
                    self.failures.append(str(answer.status))
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append(repr(error))

    def share(self, name: str) -> float:
        return self.answers[name] / sum(self.answers.values())

    def forget(self) -> None:
        self.answers.clear()


CHECK = HealthCheck(path="/health", interval=5, timeout=2, healthy_threshold=2)


def group(name: str, *targets: Target, check: HealthCheck = CHECK) -> TargetGroup:
    """A target group."""
    return TargetGroup(name, f"arn:{name}", check, targets)


def balancer(number: int, *listeners: Listener, idle_timeout: float = 60) -> LoadBalancer:
    """A load balancer at 127.N.1.1."""
    return LoadBalancer(
        "lb-1", "arn:lb", "app/lb/1", f"127.{number}.1.1", listeners, idle_timeout=idle_timeout
    )


def forwarding(**weights: int) -> Rule:
    """A default rule that forwards by weight."""
    return Rule(Forward(tuple(weights.items())))


def http_listener(*rules: Rule) -> Listener:
    """A listener at port 80, served at 10080."""
    return Listener("lb-1-http", "arn:listener", 80, 10080, rules)


def serving(number: int, groups: list[TargetGroup], **weights: int) -> Configuration:
    """One load balancer that forwards to the groups."""
    listener = http_listener(forwarding(**weights))
    return Configuration((balancer(number, listener),), tuple(groups))
