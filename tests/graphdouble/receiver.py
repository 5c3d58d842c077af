"""A webhook receiver for tests: answers handshakes, checks signatures, counts messages."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    """What a receiver accepts and has seen; may be changed while it runs.

    :ivar verify_tokens: those it accepts in a handshake.
    :ivar status: of the answer to messages (and, when not 200, to handshakes).
    :ivar numbers: id of the phone number that each message was for.
    :ivar echo: what it answers instead of the challenge, "" for the challenge.
    """

    secret: str = ""
    verify_tokens: set[str] = field(default_factory=lambda: {"verify-token-of-the-tests"})
    status: int = 200
    echo: str = ""
    delay: float = 0.0
    base: str = ""
    handshakes: Counter[str] = field(default_factory=Counter)
    refused_handshakes: int = 0
    bad_signatures: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, str] = field(default_factory=dict)
    paths: Counter[str] = field(default_factory=Counter)
    agents: set[str] = field(default_factory=set)

    def url(self, path: str = "webhook") -> str:
        """The URL of a path."""
        return f"{self.base}/{path}"

    async def get(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.delay)
        query = request.query
        if (
            query.get("hub.mode") != "subscribe"
            or query["hub.verify_token"] not in self.verify_tokens
        ):
            self.refused_handshakes += 1
            return web.Response(status=403)
        self.handshakes[request.path] += 1
        return web.Response(text=self.echo or query["hub.challenge"], status=self.status)

    async def post(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.delay)
        body = await request.read()
        wanted = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("X-Hub-Signature-256", "")):
            self.bad_signatures += 1
            return web.Response(status=401)
        if self.status != 200:
            return web.Response(status=self.status)
        self.agents.add(request.headers.get("User-Agent", ""))
        self.paths[request.path] += 1
        for entry in json.loads(body)["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                for message in value["messages"]:
                    self.messages[message["id"]] += 1
                    self.numbers[message["id"]] = value["metadata"]["phone_number_id"]
        return web.Response()


@contextmanager
def receiving(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, secret: str = ""
) -> Iterator[Receiver]:
    """Run a receiver in a thread."""
    receiver = Receiver(secret=secret)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/{path:.*}", receiver.get)
        app.router.add_post("/{path:.*}", receiver.post)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        receiver.base = f"{'https' if tls else 'http'}://{host}:{port}"
        return runner

    async def stop(runner: web.AppRunner) -> None:
        await runner.cleanup()
        # Connections that were kept are closed by the loop, which has to come to it.
        await asyncio.sleep(0.05)

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield receiver
    finally:
        asyncio.run_coroutine_threadsafe(stop(runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
