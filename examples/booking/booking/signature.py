"""Meta's handshake and signature.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

HEADER = "X-Hub-Signature-256"


def sign(secret: str, body: bytes) -> str:
    """Return the header's value for a raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify(secret: str, body: bytes, header: str | None) -> bool:
    """Return whether the header signs exactly this body; the comparison takes constant time."""
    return hmac.compare_digest(sign(secret, body).encode(), (header or "").encode())


def equal(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def known(given: str, tokens: Sequence[str]) -> bool:
    """Return whether a token is one of those that count, each compared in constant time."""
    return any(equal(given, token) for token in tokens)


def handshake(query: Mapping[str, str], verify_tokens: Sequence[str]) -> str | None:
    """Return the challenge to echo when Meta's subscription request is ours, else None."""
    if query.get("hub.mode") != "subscribe" or not query.get("hub.challenge"):
        return None
    if not known(query.get("hub.verify_token", ""), verify_tokens):
        return None
    return query["hub.challenge"]
