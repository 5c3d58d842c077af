"""The HTTP side: Starlette routes over the parts that `serve` has put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from booking import assistant, inbox, log, payload, sessions, signature
from booking.config import ServeConfig
from booking.database import UNAVAILABLE as DATABASE_UNAVAILABLE
from booking.database import Database
from booking.outbox import Recorder
from booking.releases import Behaviour, behaviour
from booking.smoke import Smoke, SmokeError
from booking.worker import Worker

MAX_BODY = 3 * 1024 * 1024  # Meta's notifications reach 3 MB
MAX_SLOW_SECONDS = 30.0
CHECK_SECONDS = 2.0
# The dashboard asks from its own address; these answers hold nothing that is not public.
PUBLIC = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


@dataclass
class App:
    """The endpoints, each a method."""

    config: ServeConfig
    behaviour: Behaviour
    database: Database
    sessions: sessions.Sessions
    worker: Worker

    async def live(self, _request: Request) -> Response:
        """Answer whether the process runs."""
        return JSONResponse({"status": "ok"}, headers=PUBLIC)

    async def version(self, _request: Request) -> Response:
        """Answer which release this is."""
        release = self.config.release
        return JSONResponse(
            {"release": release.name, "schema_revision": release.schema_revision}, headers=PUBLIC
        )

    async def health(self, _request: Request) -> Response:
        """Answer whether the process and what it depends on are well: 200 or 503."""
        database, cache = await asyncio.gather(
            _state(self.database.ping()), _state(self.sessions.ping())
        )
        well = database == cache == "ok" and not self.behaviour.unhealthy
        content = {
            "status": "ok" if well else "unavailable",
            "database": database,
            "cache": cache,
            "release": self.config.release.name,
        }
        return JSONResponse(content, 200 if well else 503, headers=PUBLIC)

    async def handshake(self, request: Request) -> Response:
        """Echo Meta's challenge, 403 for anybody else."""
        challenge = signature.handshake(request.query_params, self.config.verify_tokens)
        if challenge is None:
            return PlainTextResponse("forbidden", 403)
        return PlainTextResponse(challenge)

    async def webhook(self, request: Request) -> Response:
        """Store a signed notification and answer 200; 503 means it is not stored: send it again."""
        body = await _body(request)
        if body is None:
            return PlainTextResponse("too large", 413)
        if not signature.verify(
            self.config.app_secret, body, request.headers.get(signature.HEADER)
        ):
            log.warning("webhook refused", reason="signature")
            return PlainTextResponse("forbidden", 403)
        if self.behaviour.fails_now():
            return PlainTextResponse("this release fails on purpose", 500)
        try:
            incoming = payload.messages(body)
        except payload.PayloadError as error:
            log.warning("webhook refused", reason="payload", error=str(error))
            return PlainTextResponse("not a notification", 400)
        probes = [message for message in incoming if message.kind == payload.PROBE]
        incoming = [message for message in incoming if message.kind != payload.PROBE]
        if probes:
            await self._log_probes(probes)
        if incoming:
            async with self.database.transaction() as connection:
                new, unrouted = await inbox.store(connection, incoming)
            if unrouted:
                numbers = sorted({message.phone_number_id for message in incoming})
                log.warning("no tenant has this number", phone_number_ids=numbers)
            if new > unrouted:
                self.worker.wake()
        return PlainTextResponse("ok")

    async def _log_probes(self, probes: list[payload.Incoming]) -> None:
        async with self.database.transaction() as connection:
            tenants = await inbox.tenants_of(connection, [p.phone_number_id for p in probes])
        for probe in probes:
            log.event(
                "webhook probe",
                probe=probe.message_id,
                phone_number_id=probe.phone_number_id,
                tenant=tenants.get(probe.phone_number_id),
            )

    async def smoke(self, _request: Request) -> Response:
        """Run the end-to-end check: 200, or 500 with the reason."""
        check = Smoke(self.database, self.sessions, self.behaviour, self.config.app_secret)
        try:
            await check.run()
        except SmokeError as error:
            reason = str(error)
        except (psycopg.Error, *DATABASE_UNAVAILABLE, *sessions.UNAVAILABLE) as error:
            reason = f"a dependency failed: {type(error).__name__}"
        else:
            return JSONResponse({"status": "ok"})
        log.warning("smoke failed", reason=reason)
        return JSONResponse({"status": "failed", "reason": reason}, 500)

    async def slow(self, request: Request) -> Response:
        """Take `seconds` (3 by default, at most 30) to answer: for tests of draining."""
        try:
            seconds = float(request.query_params.get("seconds", "3"))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= MAX_SLOW_SECONDS:
            return PlainTextResponse("seconds must be a number from 0 to 30", 400)
        if self.behaviour.fails_now():
            return PlainTextResponse("this release fails on purpose", 500)
        await asyncio.sleep(seconds)
        return JSONResponse({"slept": seconds, "release": self.config.release.name})

    async def customer(self, request: Request) -> Response:
        """Answer what is remembered of a guest, for whoever has the operations' token."""
        token = request.headers.get("X-Lyo-Ops-Token", "")
        if not signature.known(token, self.config.verify_tokens):
            return PlainTextResponse("forbidden", 403)
        tenant, wa_id = request.path_params["tenant"], request.path_params["wa_id"]
        async with self.database.transaction() as connection:
            memory = await assistant.customer(connection, tenant, wa_id, self.behaviour)
            cursor = await connection.execute(
                "SELECT body, message_id, created_at FROM outbox"
                " WHERE tenant_id = %s AND wa_id = %s ORDER BY id DESC LIMIT 1",
                (tenant, wa_id),
            )
            reply = await cursor.fetchone()
        if memory is None:
            return JSONResponse({"error": "unknown customer"}, 404)
        last = None
        if reply is not None:
            last = {"text": reply["body"], "message_id": reply["message_id"]}
        content = {"tenant": tenant, "wa_id": wa_id, **_plain(memory), "last_reply": last}
        return JSONResponse(content)

    def routes(self) -> list[Route]:
        """Return every route."""
        return [
            Route("/health", self.health),
            Route("/live", self.live),
            Route("/version", self.version),
            Route("/webhook", self.handshake, methods=["GET"]),
            Route("/webhook", self.webhook, methods=["POST"]),
            Route("/smoke", self.smoke),
            Route("/slow", self.slow),
            Route("/tenants/{tenant}/customers/{wa_id}", self.customer),
        ]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in row.items()
    }


async def _state(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except (*DATABASE_UNAVAILABLE, *sessions.UNAVAILABLE):
        return "unavailable"
    return "ok"


async def _body(request: Request) -> bytes | None:
    """Return the raw body, None when it is larger than Meta's largest."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY:
            return None
    return bytes(parts)


async def _unavailable(_request: Request, error: Exception) -> Response:
    log.warning("request refused: a dependency is away", error=type(error).__name__)
    return PlainTextResponse("temporarily unavailable", 503, headers={"Retry-After": "1"})


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # the client left; nobody reads this


def create(config: ServeConfig) -> Starlette:
    """Put the application together; its lifespan opens and closes what it depends on."""
    does = behaviour(config.release)
    database = Database(config.database, f"booking-{config.release.name}")
    cache = sessions.Sessions(config.cache_url, config.cache_auth_token)
    worker = Worker(database, cache, does, Recorder())
    app = App(config, does, database, cache, worker)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await database.open()
        worker.start()
        log.event("started", host=config.host, port=config.port)
        yield
        await worker.stop()
        await database.close()
        await cache.close()
        log.event("stopped")

    handlers: dict[Any, Any] = dict.fromkeys(DATABASE_UNAVAILABLE, _unavailable)
    # The schema is older than the release: the next request after `migrate` succeeds.
    handlers[psycopg.errors.UndefinedTable] = _unavailable
    handlers[psycopg.errors.UndefinedColumn] = _unavailable
    handlers[ClientDisconnect] = _gone
    return Starlette(routes=app.routes(), lifespan=lifespan, exception_handlers=handlers)
