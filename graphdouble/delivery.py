"""Delivers signed messages along the effective routes, at a constant rate, at least once.

What is not answered with 200 is sent again, less and less often, for up to seven days of the
double's clock: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
Payload: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/text
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from graphdouble.callbacks import Callbacks
from graphdouble.world import App, PhoneNumber, World

# Immediately, then with decreasing frequency; Meta names no intervals. Seconds of the double's clock.
RETRIES = (0.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0, 72 * 3600.0, 66 * 3600.0)


@dataclass(frozen=True)
class Plan:
    """What to deliver.

    :ivar rate: messages a wall second. :ivar app_id: of whose webhooks; the first app's when empty.
    :ivar numbers: phone number ids, taken in turn; all when empty.
    :ivar text: of each message. :ivar timeout: wall seconds that a URL has to answer.
    :ivar retries: delays before each further attempt, seconds of the double's clock.
    :ivar duplicates: share of the messages that are delivered twice though answered with 200.
    """

    rate: float = 10.0
    app_id: str = ""
    numbers: tuple[str, ...] = ()
    text: str = "Buongiorno"
    timeout: float = 10.0
    retries: tuple[float, ...] = RETRIES
    duplicates: float = 0.0
    seed: int = 1

    @staticmethod
    def parse(document: Mapping[str, Any]) -> Plan:
        """Read a plan.

        :raises ValueError: naming what is wrong.
        """
        known = [field.name for field in fields(Plan)]
        unknown = sorted(set(document) - set(known))
        if unknown:
            raise ValueError(f"a delivery has no {', '.join(unknown)}; it has {', '.join(known)}")
        given: dict[str, Any] = dict(document)
        for name in ("numbers", "retries"):
            if name in given:
                given[name] = tuple(given[name])
        plan = Plan(**given)
        if not 0 < plan.rate <= 5000:
            raise ValueError("rate must be above 0 and at most 5000 messages a second")
        return plan


class Delivery:
    """One stream of messages, from start to stop."""

    def __init__(
        self, world: World, callbacks: Callbacks, app: App, plan: Plan, speed: float
    ) -> None:
        self._world, self._callbacks, self._app, self._plan = world, callbacks, app, plan
        self._speed = speed
        self._numbers = [world.numbers[n] for n in plan.numbers] or list(world.numbers.values())
        if not self._numbers:
            raise ValueError("there are no phone numbers: seed tenants first")
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender: asyncio.Task[None] | None = None
        self._chance = random.Random(plan.seed)  # noqa: S311
        self.counts: Counter[str] = Counter()
        self._urls: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to send."""
        self._sender = asyncio.create_task(self._send())

    async def stop(self, drain: float = 0.0) -> None:
        """Send no more; wait up to `drain` wall seconds for what is under way, then give it up."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._tasks and drain > 0:
            await asyncio.wait(set(self._tasks), timeout=drain)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def report(self) -> dict[str, Any]:
        """Counts so far.

        `sent` messages are `delivered` (answered with 200), `lost` (given up) or `pending`;
        attempts are `refused` (another status), `unanswered` (no answer) or `unrouted` (no URL).
        """
        counted = ("sent", "delivered", "refused", "unanswered", "unrouted", "lost", "duplicates")
        return {
            **{name: self.counts[name] for name in counted},
            "pending": self.counts["sent"] - self.counts["delivered"] - self.counts["lost"],
            "by_url": dict(self._urls),
            "refused_by_status": dict(self._statuses),
        }

    async def _send(self) -> None:
        due, index = time.monotonic(), 0
        while True:
            wait = due - time.monotonic()
            await asyncio.sleep(max(wait, 0))
            task = asyncio.create_task(
                self._deliver(self._numbers[index % len(self._numbers)], index)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            index += 1
            due += 1 / self._plan.rate

    async def _deliver(self, number: PhoneNumber, index: int) -> None:
        self.counts["sent"] += 1
        body = _payload(number, index, self._plan)
        again = self._chance.random() < self._plan.duplicates
        delays = iter(self._plan.retries)
        while not await self._attempt(number, body):
            delay = next(delays, None)
            if delay is None:
                self.counts["lost"] += 1
                return
            await asyncio.sleep(delay / self._speed)
        self.counts["delivered"] += 1
        if again and await self._attempt(number, body):
            self.counts["duplicates"] += 1

    async def _attempt(self, number: PhoneNumber, body: bytes) -> bool:
        url = self._world.route(number, self._app.id)
        if url is None:
            self.counts["unrouted"] += 1
            return False
        status = await self._callbacks.post(url, body, self._app.secret, self._plan.timeout)
        if status == 200:
            self._urls[url] += 1
            return True
        if status is None:
            self.counts["unanswered"] += 1
        else:
            self.counts["refused"] += 1
            self._statuses[str(status)] += 1
        return False


def _payload(number: PhoneNumber, index: int, plan: Plan) -> bytes:
    customer = f"39333{index % 10_000_000:07d}"
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.display, "phone_number_id": number.id},
        "contacts": [{"profile": {"name": "Cliente"}, "wa_id": customer}],
        "messages": [
            {
                "from": customer,
                "id": f"wamid.double-{plan.seed}-{index}",
                "timestamp": str(int(time.time())),
                "text": {"body": plan.text},
                "type": "text",
            }
        ],
    }
    return json.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [
                {"id": number.account_id, "changes": [{"value": value, "field": "messages"}]}
            ],
        },
        separators=(",", ":"),
    ).encode()
