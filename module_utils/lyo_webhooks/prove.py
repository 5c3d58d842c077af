"""Proof that what is registered works: the handshake, and a signed message that reaches the log."""

from __future__ import annotations

import json
import secrets as random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..lyo_aws import Aws
from ..lyo_checks import Request, Secrets, run_check, send, signature
from .state import OBJECT
from .tenants import Tenant

# A message type that only the application's check of itself has: logged, otherwise ignored.
PROBE_TYPE = "lyo_probe"
ID_PREFIX = "lyo-probe."
LOOK_SECONDS = 1.0


def handshake(
    aws: Aws, url: str, secret: str, context: ssl.SSLContext | None, attempts: int = 3
) -> str:
    """Ask a URL as Meta does; return what is wrong, empty where nothing is."""
    check = {
        "name": "Meta's handshake",
        "url": url,
        "handshake": {"verify_token": {"arn": secret, "key": "verify_token"}},
        "attempts": attempts,
        "delay": 1.0,
    }
    return run_check(check, url, Secrets(aws), context).message


def probe_body(tenant: Tenant, number: str, message_id: str, now: float) -> bytes:
    """Return a notification of Meta's shape with a message of the probe's type.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/
    """
    message = {"id": message_id, "from": "0", "timestamp": str(int(now)), "type": PROBE_TYPE}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "0", "phone_number_id": number},
        "messages": [message],
    }
    entry = {"id": tenant.waba_id, "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": OBJECT, "entry": [entry]}).encode()


class Probes:
    """Signed messages, one for each number, and where they have arrived.

    :ivar sent: tenant and number by message id.
    """

    def __init__(
        self,
        app_secret: str,
        context: ssl.SSLContext | None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret, self._context = app_secret, context
        self._sleep, self._clock = sleep, clock
        self.run = random.token_hex(6)
        self.sent: dict[str, tuple[str, str]] = {}
        self.started = clock()

    def send(self, tenants: Sequence[tuple[Tenant, str]], concurrency: int) -> dict[str, str]:
        """Send to each tenant's URL; return what was refused, by tenant."""
        jobs = []
        for tenant, url in tenants:
            for number in tenant.numbers:
                message = f"{ID_PREFIX}{self.run}.{len(self.sent)}"
                self.sent[message] = (tenant.id, number)
                jobs.append((tenant, number, url, message))
        wrong: dict[str, str] = {}
        with ThreadPoolExecutor(max_workers=max(1, concurrency)) as pool:
            for tenant_id, message in pool.map(lambda job: self._send(*job), jobs):
                if message:
                    wrong[tenant_id] = message
        return wrong

    def _send(self, tenant: Tenant, number: str, url: str, message: str) -> tuple[str, str]:
        body = probe_body(tenant, number, message, self._clock())
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": signature(self._secret, body),
        }
        request = Request("POST", url, headers, body, url)
        what = "no answer"
        for attempt in range(3):
            if attempt:
                self._sleep(1.0)
            try:
                status, _ = send(request, 10.0, self._context)
            except OSError as error:
                what = f"no answer: {error or type(error).__name__}"
                continue
            if status == 200:
                return tenant.id, ""
            what = f"status {status}"
        return tenant.id, f"a signed message to {url} got {what}"

    def arrived(self, aws: Aws, log_group: str, timeout: float) -> dict[str, str]:
        """Look into the application's log until all have arrived; return what is wrong by tenant.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        """
        end = self._clock() + timeout
        left = dict(self.sent)
        wrong: dict[str, str] = {}
        start = int(self.started * 1000) - 60_000
        while left:
            events = aws.all(
                "logs",
                "filter_log_events",
                "events",
                logGroupName=log_group,
                startTime=start,
                filterPattern=f'"{ID_PREFIX}{self.run}."',
            )
            for message_id, tenant in seen(events):
                wanted, number = left.pop(message_id, ("", ""))
                if wanted and tenant != wanted:
                    wrong[wanted] = (
                        f"number {number} is {tenant or 'nobody'}'s in the application, "
                        f"not {wanted}'s"
                    )
            if not left or self._clock() > end:
                break
            self._sleep(LOOK_SECONDS)
        for tenant, number in left.values():
            wrong.setdefault(
                tenant,
                f"a signed message for number {number} is not in {log_group} after {timeout:g} s",
            )
        return wrong


def seen(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return message id and tenant of each probe in log events; other lines do not count."""
    found = []
    for event in events:
        try:
            line = json.loads(event.get("message", ""))
        except ValueError:
            continue
        if isinstance(line, dict) and str(line.get("probe", "")).startswith(ID_PREFIX):
            found.append((str(line["probe"]), str(line.get("tenant") or "")))
    return found
