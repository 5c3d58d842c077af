"""What is sent: the shares of the kinds of request, and each request's content."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import secrets
from dataclasses import dataclass, field

KINDS = ("health", "version", "webhook", "slow")


@dataclass(frozen=True)
class Mix:
    """Shares (weights, any positive numbers) of the kinds of request, and their details.

    fresh: the share (0 to 1) sent over a connection of its own; the others keep theirs alive.
    phone_number_id: the tenant that webhook messages are for.
    """

    health: float = 30
    version: float = 28
    webhook: float = 40
    slow: float = 2
    slow_seconds: float = 3.0
    fresh: float = 0.1
    phone_number_id: str = "390551000001"

    @classmethod
    def parse(cls, text: str) -> Mix:
        """Read `health=30,webhook=70`; what is not named is not sent. Raises ValueError."""
        shares = dict.fromkeys(KINDS, 0.0)
        for part in text.split(","):
            kind, _, share = part.partition("=")
            if kind not in shares or float(share) < 0:
                raise ValueError(f"{part!r} is not one of {', '.join(KINDS)} with =SHARE")
            shares[kind] = float(share)
        if not any(shares.values()):
            raise ValueError("at least one share must be above 0")
        return cls(shares["health"], shares["version"], shares["webhook"], shares["slow"])

    def shares(self) -> list[float]:
        """Return the weights in the order of KINDS."""
        return [self.health, self.version, self.webhook, self.slow]


@dataclass(frozen=True)
class Shot:
    """One request to send."""

    kind: str
    method: str
    path: str
    fresh: bool
    extra_seconds: float = 0.0  # what it is meant to take
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Shots:
    """An endless supply of requests; the same seed gives the same kinds in the same order."""

    def __init__(self, mix: Mix, app_secret: str = "", seed: int = 1) -> None:
        if mix.webhook and not app_secret:
            raise ValueError("webhook messages need the app secret to be signed with")
        self._mix = mix
        self._secret = app_secret.encode()
        self._random = random.Random(seed)
        self._run = secrets.token_hex(6)
        self._number = 0

    def next(self) -> Shot:
        """Return the next request."""
        self._number += 1
        fresh = self._random.random() < self._mix.fresh
        kind = self._random.choices(KINDS, self._mix.shares())[0]
        if kind == "webhook":
            return self._message(fresh)
        if kind == "slow":
            seconds = self._mix.slow_seconds
            return Shot(kind, "GET", f"/slow?seconds={seconds:g}", fresh, seconds)
        return Shot(kind, "GET", f"/{kind}", fresh)

    def _message(self, fresh: bool) -> Shot:
        message = {
            "id": f"wamid.load-{self._run}-{self._number}",
            "from": f"3900000{self._number % 50:05}",
            "type": "text",
            "text": {"body": "Ciao"},
        }
        metadata = {"phone_number_id": self._mix.phone_number_id}
        value = {"messaging_product": "whatsapp", "metadata": metadata, "messages": [message]}
        entry = {"id": "0", "changes": [{"field": "messages", "value": value}]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return Shot("webhook", "POST", "/webhook", fresh, body=body, headers=headers)
