"""HTTP in front of the double: parse, fail on purpose, authenticate, limit, answer, record."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from graphdouble import auth, limits, versions
from graphdouble.api import Api, Call
from graphdouble.callbacks import Callbacks
from graphdouble.clock import Clock
from graphdouble.delivery import Delivery
from graphdouble.errors import (
    GraphError,
    account_limit,
    app_limit,
    invalid_parameter,
    not_reproduced,
    unknown_object,
)
from graphdouble.faults import Fault, Faults
from graphdouble.gaps import GapWatch
from graphdouble.recorder import RecordedCall, Recorder
from graphdouble.settings import Settings
from graphdouble.world import World

Handler = Callable[[Call], Awaitable[dict[str, Any]]]
UNKNOWN = "(unknown)"
_USERS_LIMIT = 200
_ACTIVE_LIMIT = 5000


class _CutError(Exception):
    """The connection ends without an answer."""


@dataclass
class _Progress:
    """What is known of a call while it goes on, for the record."""

    number: int
    method: str
    version: str = ""
    object_id: str = ""
    operation: str = UNKNOWN
    tenant: str = ""
    took_effect: bool = False
    code: int = 0
    fault: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Double:
    """Meta's Graph API with its state, as an aiohttp application at `app()`."""

    def __init__(self, *, ca_bundle: Path | None = None, record: Path | None = None) -> None:
        self.world = World()
        self.callbacks = Callbacks(ca_bundle)
        self.watch = GapWatch(self.world)
        self.api = Api(self.world, self.callbacks, self.watch)
        self.clock = Clock()
        self.faults = Faults()
        self.recorder = Recorder(record)
        self.hour = limits.RollingHour()
        self.delivery: Delivery | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.api.settings

    def use(self, settings: Settings) -> None:
        """Put settings in force."""
        old = self.api.settings
        if (settings.speed, settings.today) != (old.speed, old.today):
            today = datetime.fromisoformat(settings.today).date() if settings.today else None
            self.clock = Clock(settings.speed, today)
            self.hour.clear()
        self.callbacks.use(settings.hosts)
        self.api.settings = settings

    async def reset(self) -> None:
        """Forget everything, as if just started; held calls are dropped."""
        if self.delivery is not None:
            await self.delivery.stop()
            self.delivery = None
        self.faults.release(drop=True)
        self.faults.set(0, [])
        self.world.clear()
        self.watch.clear()
        self.hour.clear()
        self.recorder.clear()
        self.callbacks.made = 0
        self.use(Settings())

    async def close(self, _app: web.Application | None = None) -> None:
        """End what is under way."""
        self.faults.release(drop=True)
        if self.delivery is not None:
            await self.delivery.stop()
        await self.callbacks.close()
        self.recorder.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call of the Graph API."""
        started = time.monotonic()
        progress = _Progress(self.recorder.next_number(), request.method)
        status = 0
        try:
            status, answer = await self._answer(request, progress)
        except _CutError:
            if request.transport is not None:
                request.transport.abort()
            answer = web.Response(status=500)
        finally:
            kind = "read" if request.method == "GET" else "write"
            self.recorder.add(
                RecordedCall(
                    number=progress.number,
                    time=datetime.now(UTC).isoformat(),
                    operation=progress.operation,
                    version=progress.version,
                    object_id=progress.object_id,
                    tenant=progress.tenant,
                    kind=kind,
                    took_effect=progress.took_effect,
                    status=status,
                    code=progress.code,
                    fault=progress.fault,
                    milliseconds=round((time.monotonic() - started) * 1000, 1),
                )
            )
        return answer

    async def _answer(
        self, request: web.Request, progress: _Progress
    ) -> tuple[int, web.StreamResponse]:
        trace = f"A{progress.number:010d}double"
        try:
            handler = self._find(request, progress)
            fault = self.faults.choose(
                f"{request.method} {request.path}",
                progress.operation,
                "read" if request.method == "GET" else "write",
            )
            if self.settings.latency > 0:
                await asyncio.sleep(self.settings.latency)
            html = await self._fail(fault, "before", progress)
            if html is None:
                status, document = await self._done(request, progress, handler, trace)
                # A refusal can be lost on its way as well.
                html = await self._fail(fault, "after", progress)
            if html is not None:
                return html.status, html
        except GraphError as error:
            document, status, progress.code = error.body(trace), error.status, error.code
        headers = {**progress.headers, "x-fb-trace-id": trace}
        return status, web.json_response(document, status=status, headers=headers)

    async def _done(
        self, request: web.Request, progress: _Progress, handler: Handler, trace: str
    ) -> tuple[int, dict[str, Any]]:
        try:
            return 200, await self._call(request, progress, handler)
        except GraphError as error:
            refused = error
        except ValueError as error:
            refused = invalid_parameter(f"the request cannot be read: {type(error).__name__}")
        progress.code = refused.code
        return refused.status, refused.body(trace)

    async def _fail(
        self, fault: Fault | None, when: str, progress: _Progress
    ) -> web.Response | None:
        """Do what a fault says at this point; an answer when it is not of Meta's shape."""
        if fault is None or fault.when != when:
            return None
        progress.fault = f"{fault.action} {fault.when}"
        if fault.action == "error":
            if fault.variant == 0:
                raise GraphError(1, "An unknown error occurred", transient=True, status=500)
            if fault.variant == 1:
                raise GraphError(2, "Service temporarily unavailable", transient=True)
            text = "<html><body>Bad Gateway</body></html>"
            return web.Response(status=502, text=text, content_type="text/html")
        if fault.action == "throttle":
            if fault.variant == 0:
                raise app_limit(429)
            raise account_limit(self.settings.account_limit_code, 429)
        if fault.action == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.action == "cut" or await self.faults.hold(progress.operation):
            raise _CutError
        return None

    def _find(self, request: web.Request, progress: _Progress) -> Handler:
        """The handler of a path, by the form of the path and what its first id is."""
        parts = [part for part in request.path.split("/") if part]
        if not parts or not versions.is_version(parts[0]):
            raise not_reproduced("calls without a version")
        progress.version = parts[0]
        if len(parts) == 1:
            raise not_reproduced("batches and calls of no object")
        progress.object_id = parts[1]
        api, world = self.api, self.world
        edge = "/".join(parts[2:])
        known: dict[tuple[str, str], tuple[str, dict[str, Handler]]] = {
            ("app", "subscriptions"): (
                "/{app-id}/subscriptions",
                {
                    "GET": api.read_subscriptions,
                    "POST": api.write_subscriptions,
                    "DELETE": api.delete_subscriptions,
                },
            ),
            ("account", "subscribed_apps"): (
                "/{waba-id}/subscribed_apps",
                {
                    "GET": api.read_subscribed_apps,
                    "POST": api.write_subscribed_apps,
                    "DELETE": api.delete_subscribed_apps,
                },
            ),
            ("account", "phone_numbers"): (
                "/{waba-id}/phone_numbers",
                {"GET": api.read_phone_numbers},
            ),
            ("number", ""): (
                "/{phone-number-id}",
                {"GET": api.read_number, "POST": api.write_number},
            ),
        }
        kind = ""
        if parts[1] in world.apps:
            kind, progress.tenant = "app", parts[1]
        elif parts[1] in world.accounts:
            kind, progress.tenant = "account", parts[1]
        elif parts[1] in world.numbers:
            kind, progress.tenant = "number", world.numbers[parts[1]].account_id
        if not kind and edge in ("", "subscriptions", "subscribed_apps", "phone_numbers"):
            progress.operation = f"{request.method} /{{id}}/{edge}".rstrip("/")
            return _unknown
        found = known.get((kind, edge))
        if found is None:
            raise not_reproduced(
                f"/{{id}}/{edge} of this object" if edge else "reading this object"
            )
        template, handlers = found
        progress.operation = f"{request.method} {template}"
        if request.method not in handlers:
            raise not_reproduced(f"{request.method} {template}")
        return handlers[request.method]

    async def _call(
        self, request: web.Request, progress: _Progress, handler: Handler
    ) -> dict[str, Any]:
        parameters = await _parameters(request)
        version = versions.serving(progress.version, self.clock.today())
        progress.headers["facebook-api-version"] = version
        caller = auth.authenticate(self.world, request.headers, parameters, self.clock.now())
        self._limit(caller, progress)
        call = Call(
            method=request.method,
            version=version,
            object_id=progress.object_id,
            parameters=parameters,
            caller=caller,
            address=f"{request.scheme}://{request.host}{request.path}",
            number=progress.number,
        )
        document = await handler(call)
        progress.took_effect = request.method != "GET"
        return document

    def _limit(self, caller: auth.Caller, progress: _Progress) -> None:
        """Count the call against its limits; headers come once some of a limit is used."""
        settings, now = self.settings, self.clock.now()
        app_calls = settings.app_calls_per_hour or _USERS_LIMIT * max(1, len(self.world.accounts))
        app_usage = self.hour.count(caller.app.id, app_calls, now)
        if app_usage.percent >= 1:
            progress.headers["X-App-Usage"] = limits.app_header(app_usage)
        usage = None
        account = self.world.accounts.get(progress.tenant)
        if account is not None and caller.token is not None:
            calls = settings.account_calls_per_hour
            calls = calls or (_ACTIVE_LIMIT if account.numbers else _USERS_LIMIT)
            usage = self.hour.count((caller.app.id, account.id), calls, now)
            if usage.percent >= 1:
                progress.headers["X-Business-Use-Case-Usage"] = limits.account_header(
                    account.id, usage
                )
        if usage is not None and usage.exceeded:
            raise account_limit(settings.account_limit_code, settings.limit_status)
        if app_usage.exceeded:
            raise app_limit(settings.limit_status)


async def _unknown(call: Call) -> dict[str, Any]:
    """Answers for an object that is not there, once the caller is known."""
    raise unknown_object(call.method, call.object_id)


async def _parameters(request: web.Request) -> Mapping[str, Any]:
    """Parameters of query and body; Graph takes forms and JSON alike."""
    parameters: dict[str, Any] = dict(request.query)
    if request.method in ("POST", "DELETE") and request.can_read_body:
        if request.content_type == "application/json":
            raw = await request.read()
            document = json.loads(raw) if raw else {}
            if not isinstance(document, dict):
                raise invalid_parameter("the body must be a JSON object")
            parameters.update(document)
        else:
            parameters.update({key: str(value) for key, value in (await request.post()).items()})
    return parameters
