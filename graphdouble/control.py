"""The control interface at /_double/: fill, change, look, fail, deliver. Not Meta's, loopback only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from graphdouble import faults, seeding
from graphdouble.delivery import Delivery, Plan
from graphdouble.server import Double
from graphdouble.world import App, Subscription

PREFIX = "/_double"
Document = dict[str, Any]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Answers calls of the control interface."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def routes(self) -> list[web.RouteDef]:
        """Its paths."""
        return [
            web.get(f"{PREFIX}/health", self._json(self.health)),
            web.post(f"{PREFIX}/reset", self._json(self.reset)),
            web.post(f"{PREFIX}/seed", self._json(self.seed)),
            web.post(f"{PREFIX}/apps", self._json(self.add_app)),
            web.get(f"{PREFIX}/settings", self._json(self.read_settings)),
            web.patch(f"{PREFIX}/settings", self._json(self.change_settings)),
            web.get(f"{PREFIX}/faults", self._json(self.read_faults)),
            web.put(f"{PREFIX}/faults", self._json(self.set_faults)),
            web.post(f"{PREFIX}/faults/release", self._json(self.release)),
            web.get(f"{PREFIX}/state", self._json(self.state)),
            web.get(f"{PREFIX}/routes", self._json(self.read_routes)),
            web.post(f"{PREFIX}/tokens", self._json(self.change_tokens)),
            web.post(f"{PREFIX}/out-of-band", self._json(self.out_of_band)),
            web.get(f"{PREFIX}/calls", self._json(self.calls)),
            web.delete(f"{PREFIX}/calls", self._json(self.clear_calls)),
            web.put(f"{PREFIX}/watch", self._json(self.start_watch)),
            web.delete(f"{PREFIX}/watch", self._json(self.stop_watch)),
            web.get(f"{PREFIX}/gaps", self._json(self.gaps)),
            web.put(f"{PREFIX}/delivery", self._json(self.start_delivery)),
            web.get(f"{PREFIX}/delivery", self._json(self.delivery)),
            web.delete(f"{PREFIX}/delivery", self._json(self.stop_delivery)),
        ]

    def _json(self, answer: Callable[[Document], Awaitable[Document]]) -> _Handler:
        """Give a method the parameters of query and body; a ValueError is the caller's mistake."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                parameters: Document = dict(request.query)
                if request.can_read_body:
                    parameters.update(json.loads(await request.read()))
                return web.json_response(await answer(parameters))
            except (ValueError, TypeError, KeyError) as error:
                problem = f"{type(error).__name__}: {error}"
                return web.json_response({"problem": problem}, status=400)

        return handle

    def _app(self, parameters: Document) -> App:
        """The app meant: `app_id`, else the first one."""
        apps = self._double.world.apps
        app_id = str(parameters.get("app_id", "")) or next(iter(apps), "")
        if app_id not in apps:
            raise ValueError(f"no app {app_id or 'yet: seed first'}")
        return apps[app_id]

    async def health(self, _: Document) -> Document:
        """GET health: counts of what there is."""
        world = self._double.world
        return {
            "apps": len(world.apps),
            "accounts": len(world.accounts),
            "numbers": len(world.numbers),
            "calls": len(self._double.recorder.calls),
            "handshakes": self._double.callbacks.made,
        }

    async def reset(self, _: Document) -> Document:
        """POST reset: as if just started."""
        await self._double.reset()
        return {}

    async def seed(self, parameters: Document) -> Document:
        """POST seed: an app when there is none, and tenants; answers with ids and tokens."""
        world, seed = self._double.world, int(parameters.get("seed", self._double.settings.seed))
        if not world.apps:
            seeding.seed_app(
                world,
                seed,
                app_id=str(parameters.get("new_app_id", "")),
                secret=str(parameters.get("app_secret", "")),
                proof_required=bool(parameters.get("proof_required", True)),
            )
        app, wanted = self._app(parameters), parameters.get("tenants", 0)
        if isinstance(wanted, list):
            tenants = seeding.seed_given(world, app, wanted)
        else:
            numbers = int(parameters.get("numbers", 1))
            tenants = seeding.seed_tenants(world, app, int(wanted), seed, numbers)
        return {
            "app": {"id": app.id, "secret": app.secret},
            "tenants": [asdict(tenant) for tenant in tenants],
        }

    async def add_app(self, parameters: Document) -> Document:
        """POST apps: a further (foreign) app, subscribed to `accounts` with `callback_url`."""
        world = self._double.world
        app = seeding.seed_app(world, self._double.settings.seed)
        if url := str(parameters.get("callback_url", "")):
            app.subscription.set(Subscription(url, "", {"messages": "v25.0"}))
        for account_id in parameters.get("accounts", []):
            account = world.accounts[account_id]
            account.apps.set({**account.apps.now, app.id: str(parameters.get("override", ""))})
        return {"id": app.id, "secret": app.secret}

    async def read_settings(self, _: Document) -> Document:
        """GET settings."""
        return self._double.settings.document()

    async def change_settings(self, parameters: Document) -> Document:
        """PATCH settings: those named are changed."""
        self._double.use(self._double.settings.changed(parameters))
        return self._double.settings.document()

    async def read_faults(self, _: Document) -> Document:
        """GET faults."""
        return self._double.faults.report()

    async def set_faults(self, parameters: Document) -> Document:
        """PUT faults: a schedule; an empty one ends them."""
        self._double.faults.set(*faults.parse(parameters))
        return self._double.faults.report()

    async def release(self, parameters: Document) -> Document:
        """POST faults/release: held calls go on, or with `drop` end without an answer."""
        return {"released": self._double.faults.release(drop=bool(parameters.get("drop")))}

    async def state(self, parameters: Document) -> Document:
        """GET state: the three levels, without any token; `account` limits it to one."""
        world = self._double.world
        chosen = str(parameters.get("account", ""))
        accounts = [world.accounts[chosen]] if chosen else list(world.accounts.values())
        apps = {}
        for app in world.apps.values():
            found = app.subscription.now
            apps[app.id] = found and {
                "callback_url": found.callback_url,
                "fields": dict(found.fields),
                "active": found.active,
            }
        return {
            "apps": apps,
            "accounts": {
                account.id: {
                    "subscribed_apps": dict(account.apps.now),
                    "numbers": {n.id: dict(n.overrides.now) for n in world.numbers_of(account.id)},
                }
                for account in accounts
            },
        }

    async def read_routes(self, parameters: Document) -> Document:
        """GET routes: the effective route of each phone number, null for none."""
        app = self._app(parameters)
        world = self._double.world
        return {number.id: world.route(number, app.id) for number in world.numbers.values()}

    async def change_tokens(self, parameters: Document) -> Document:
        """POST tokens: `account`, and `state`, `management`, `missing_code`."""
        account_id = str(parameters.pop("account"))
        return {"changed": seeding.change_tokens(self._double.world, account_id, **parameters)}

    async def out_of_band(self, parameters: Document) -> Document:
        """POST out-of-band: somebody changes routes by hand, without API and handshake.

        `url` of `accounts` or `numbers` ("" clears the override, null unsubscribes the app from
        the accounts), or of the app itself with `fields` (null removes its subscription).
        """
        world, app = self._double.world, self._app(parameters)
        url = parameters["url"]
        numbers = [world.numbers[str(name)] for name in parameters.get("numbers", [])]
        for number in numbers:
            others = {key: value for key, value in number.overrides.now.items() if key != app.id}
            number.overrides.set({**others, app.id: str(url)} if url else others)
        for name in parameters.get("accounts", []):
            account = world.accounts[str(name)]
            others = {key: value for key, value in account.apps.now.items() if key != app.id}
            account.apps.set(others if url is None else {**others, app.id: str(url)})
            numbers += world.numbers_of(account.id)
        if "fields" in parameters:
            fields = dict.fromkeys(parameters["fields"], "v25.0")
            app.subscription.set(None if url is None else Subscription(str(url), "", fields))
            numbers = list(world.numbers.values())
        self._double.watch.look(numbers)
        return {"numbers": len(numbers)}

    async def calls(self, parameters: Document) -> Document:
        """GET calls: `since` (a number), `writes`."""
        since, writes = int(parameters.get("since", 0)), bool(parameters.get("writes"))
        found = [
            asdict(call)
            for call in self._double.recorder.calls
            if call.number > since and (call.kind == "write" or not writes)
        ]
        return {"calls": found}

    async def clear_calls(self, _: Document) -> Document:
        """DELETE calls: forget those in memory."""
        self._double.recorder.clear()
        return {}

    async def start_watch(self, parameters: Document) -> Document:
        """PUT watch: `urls` that count as valid, `app_id`, `accounts`; gaps are counted anew."""
        self._double.watch.start(
            self._app(parameters).id, parameters["urls"], parameters.get("accounts")
        )
        return {}

    async def stop_watch(self, _: Document) -> Document:
        """DELETE watch."""
        self._double.watch.stop()
        return {}

    async def gaps(self, _: Document) -> Document:
        """GET gaps."""
        return {"gaps": self._double.watch.report()}

    async def start_delivery(self, parameters: Document) -> Document:
        """PUT delivery: begin; see `graphdouble.delivery.Plan`."""
        double, plan = self._double, Plan.parse(parameters)
        if double.delivery is not None:
            await double.delivery.stop()
        app = self._app({"app_id": plan.app_id})
        speed = double.settings.speed
        double.delivery = Delivery(double.world, double.callbacks, app, plan, speed)
        double.delivery.start()
        return double.delivery.report()

    async def delivery(self, _: Document) -> Document:
        """GET delivery: the counts of the last one."""
        if self._double.delivery is None:
            raise ValueError("nothing was delivered yet")
        return self._double.delivery.report()

    async def stop_delivery(self, parameters: Document) -> Document:
        """DELETE delivery: stop, waiting up to `drain` seconds for what is under way."""
        if self._double.delivery is None:
            raise ValueError("nothing was delivered yet")
        await self._double.delivery.stop(float(parameters.get("drain", 0)))
        return self._double.delivery.report()


def application(double: Double) -> web.Application:
    """The aiohttp application: control interface and Graph API."""
    app = web.Application(client_max_size=32 * 1024**2)
    app.add_routes(Control(double).routes())
    app.router.add_route("*", "/{path:.*}", double.handle)
    app.on_cleanup.append(double.close)
    return app
