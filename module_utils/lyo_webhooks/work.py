"""The calls of a run, many at once: reading, writing, reading back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from . import decide
from .decide import Step
from .errors import GraphError
from .graph import Graph
from .secrets import AppSecret
from .state import OBJECT, AppFound, Found, app_from, apps_from, number_from
from .tenants import Tenant

TICK_SECONDS = 1.0
FIRST_LOOK_SECONDS = 0.3
MAX_LOOK_SECONDS = 5.0

Result = TypeVar("Result")
Say = Callable[[str, int], None]


@dataclass(frozen=True)
class Line:
    """A line of progress: how far, how fast, how many failed, how long still."""

    done: int
    total: int
    failed: int
    seconds: float

    def __str__(self) -> str:
        rate = self.done / self.seconds if self.seconds > 0 else 0.0
        left = f", {round((self.total - self.done) / rate)} s left" if rate else ""
        return f"{self.done} of {self.total}, {rate:.0f}/s, {self.failed} failed{left}"


def each(
    items: Iterable[str],
    do: Callable[[str], Result],
    concurrency: int,
    say: Say,
    tick: Callable[[], None] = lambda: None,
    every: float = TICK_SECONDS,
) -> tuple[dict[str, Result], dict[str, GraphError]]:
    """Do something for each item, several at once; return results and failures.

    :param say: told how far it is, with the percentage.
    :param every: seconds between two tellings.
    :param tick: called now and then while it goes on, for what has to be noted.
    :raises Exception: anything but a GraphError ends all of it; what had begun is finished first.
    """
    names = list(items)
    results: dict[str, Result] = {}
    failures: dict[str, GraphError] = {}
    started = time.monotonic()
    told = started
    stop = threading.Event()

    def one(name: str) -> tuple[str, Result | None, GraphError | None]:
        if stop.is_set():
            return name, None, None
        try:
            return name, do(name), None
        except GraphError as error:
            return name, None, error
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(max_workers=max(1, min(concurrency, len(names) or 1))) as pool:
        pending: set[Future[Any]] = {pool.submit(one, name) for name in names}
        try:
            while pending:
                ready, pending = wait(pending, TICK_SECONDS, FIRST_COMPLETED)
                for future in ready:
                    name, result, error = future.result()
                    if error is not None:
                        failures[name] = error
                    elif result is not None:
                        results[name] = result
                now = time.monotonic()
                if pending and now - told < every:
                    continue
                told = now
                done = len(results) + len(failures)
                line = Line(done, len(names), len(failures), now - started)
                say(str(line), 100 * done // max(1, len(names)))
                tick()
        except BaseException:
            stop.set()
            raise
    return results, failures


class Work:
    """Calls for one app.

    :param tokens: access token by tenant.
    """

    def __init__(
        self,
        graph: Graph,
        app: AppSecret,
        tokens: Mapping[str, str],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.graph, self.app, self.tokens = graph, app, tokens
        self._sleep, self._clock = sleep, clock

    def read_app(self) -> AppFound:
        """Read the app's own subscription."""
        return app_from(self.graph.pages(f"{self.app.id}/subscriptions", self.app.token))

    def read(self, tenant: Tenant) -> Found:
        """Read the apps of an account, and the URL of each of the tenant's numbers that it has."""
        token, waba = self.tokens[tenant.id], tenant.waba_id
        apps = apps_from(self.graph.pages(f"{waba}/subscribed_apps", token, waba))
        rows = self.graph.pages(
            f"{waba}/phone_numbers", token, waba, fields="id,webhook_configuration"
        )
        numbers = {str(row.get("id")): number_from(row) for row in rows}
        return Found(apps, {n: numbers[n] for n in tenant.numbers if n in numbers})

    def write_app(self, step: Step) -> None:
        """Write the app's own subscription; Meta asks its URL at once."""
        body = {
            "object": OBJECT,
            "callback_url": step.url,
            "fields": ",".join(step.fields),
            "verify_token": self.app.verify_tokens[0],
        }
        self.graph.write("POST", f"{self.app.id}/subscriptions", self.app.token, "", body)

    def write(self, tenant: Tenant, steps: Sequence[Step]) -> bool:
        """Make a tenant's writes, in their order.

        A bare POST to an account that has the app clears its override, and a read that lags behind
        may say that it has not. So where an override follows, that is tried first, and the app is
        subscribed only if Meta then says that it has to be.
        """
        left = list(steps)
        while left:
            step = left.pop(0)
            if step.kind != decide.SUBSCRIBE or not left or not left[0].handshake:
                self._write(tenant, step)
                continue
            try:
                self._write(tenant, left[0])
                left.pop(0)
            except GraphError as error:
                if not error.not_subscribed:
                    raise
                self._write(tenant, step)
        return True

    def _write(self, tenant: Tenant, step: Step) -> None:
        token, waba = self.tokens[tenant.id], tenant.waba_id
        method, path = "POST", f"{waba}/subscribed_apps"
        body: dict[str, Any] | None = None
        override = {"override_callback_uri": step.url}
        if step.handshake:
            override["verify_token"] = self.app.verify_tokens[0]
        if step.kind == decide.UNSUBSCRIBE:
            method = "DELETE"
        elif step.kind == decide.OVERRIDE_ACCOUNT:
            body = override
        elif step.kind in (decide.OVERRIDE_NUMBER, decide.CLEAR_NUMBER):
            path, body = step.target, {"webhook_configuration": override}
        self.graph.write(method, path, token, waba, body)

    def read_back(
        self,
        tenants: Mapping[str, Tenant],
        steps: Mapping[str, Sequence[Step]],
        concurrency: int,
        timeout: float,
        say: Say,
    ) -> tuple[dict[str, Found], dict[str, GraphError]]:
        """Read until everything written can be read; return what was read last, and failures.

        Meta's reads lag behind its writes for a moment.

        :param timeout: seconds; what does not match then is among the results all the same.
        """
        found: dict[str, Found] = {}
        failures: dict[str, GraphError] = {}
        left = list(steps)
        end, pause = self._clock() + timeout, FIRST_LOOK_SECONDS
        while left:
            results, failed = each(left, lambda name: self.read(tenants[name]), concurrency, say)
            found |= results
            failures |= failed
            left = [
                name
                for name, state in results.items()
                if not decide.matches(steps[name], state, self.app.id)
            ]
            if not left or self._clock() > end:
                break
            self._sleep(pause)
            pause = min(MAX_LOOK_SECONDS, pause * 1.6)
        return found, failures

    def app_read_back(self, step: Step, timeout: float) -> AppFound:
        """Read the app's subscription until it reads as written, or the time is up."""
        end, pause = self._clock() + timeout, FIRST_LOOK_SECONDS
        while True:
            found = self.read_app()
            if decide.app_matches(step, found) or self._clock() > end:
                return found
            self._sleep(pause)
            pause = min(MAX_LOOK_SECONDS, pause * 1.6)
