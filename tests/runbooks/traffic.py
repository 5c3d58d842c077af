"""Customers at the permanent URL, beside whatever a runbook does."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.load import Load
from tests.runbooks.harness import Environment

RATE = 100.0  # requests a second, 3-second ones among them
TENANT, PHONE_NUMBER_ID = "da-mario", "390551000001"


@contextmanager
def constant_traffic(environment: Environment) -> Iterator[Load]:
    """The constant-rate mix, measured at the client; `load.stop()` gives the report."""
    outputs = environment.outputs
    secret = environment.secret(outputs["whatsapp_secret_arn"])["app_secret"]
    assert outputs["api_url"].startswith("https://127."), outputs["api_url"]
    with Load(
        outputs["api_url"], rate=RATE, app_secret=secret, ca=Path(environment.ca_bundle)
    ) as load:
        yield load


class Customer:
    """One customer of one restaurant, writing over WhatsApp.

    :param phone_number_id: the restaurant's.
    """

    def __init__(self, environment: Environment, phone_number_id: str = PHONE_NUMBER_ID) -> None:
        outputs = environment.outputs
        self.phone_number_id = phone_number_id
        self.url = outputs["api_url"]
        self._secrets = environment.secret(outputs["whatsapp_secret_arn"])
        self._tls = ssl.create_default_context(cafile=environment.ca_bundle)
        self.wa_id = "39" + str(uuid.uuid4().int)[:10]

    def request(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and body of one request."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._tls) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def handshake(self, token: str | None = None) -> tuple[int, str]:
        """Meta's handshake, with the right token unless another is given."""
        token = self._secrets["verify_token"].split()[0] if token is None else token
        return self.request(
            f"/webhook?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"
        )

    def say(self, text: str, secret: str | None = None) -> tuple[int, str]:
        """Send a message; returns the status and the message's id."""
        message = f"wamid.{uuid.uuid4().hex}"
        body = json.dumps(
            {
                "object": "whatsapp_business_account",
                "entry": [
                    {
                        "id": "1",
                        "changes": [
                            {
                                "field": "messages",
                                "value": {
                                    "messaging_product": "whatsapp",
                                    "metadata": {"phone_number_id": self.phone_number_id},
                                    "messages": [
                                        {
                                            "from": self.wa_id,
                                            "id": message,
                                            "timestamp": str(int(time.time())),
                                            "type": "text",
                                            "text": {"body": text},
                                        }
                                    ],
                                },
                            }
                        ],
                    }
                ],
            }
        ).encode()
        key = (secret or self._secrets["app_secret"]).encode()
        signature = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
        return self.request("/webhook", body, headers)[0], message

    def reply_to(self, message: str, timeout: float = 20.0) -> dict[str, Any]:
        """What the application remembers of the customer once it has answered `message`."""
        deadline = time.monotonic() + timeout
        seen = ""
        while time.monotonic() < deadline:
            status, seen = self.request(
                f"/tenants/{TENANT}/customers/{self.wa_id}",
                headers={"X-Lyo-Ops-Token": self._secrets["verify_token"].split()[0]},
            )
            if status == 200:
                memory: dict[str, Any] = json.loads(seen)
                if (memory.get("last_reply") or {}).get("message_id") == message:
                    return memory
            time.sleep(0.1)
        raise AssertionError(f"no reply to {message} in {timeout} s; last seen: {seen}")

    def is_known_as(self, name: str) -> bool:
        """Whether a greeting is answered by name."""
        status, message = self.say("Buonasera")
        assert status == 200, status
        reply = self.reply_to(message)["last_reply"]["text"]
        return str(reply).startswith(f"Ciao {name}!")
