"""Meta's webhook notification, reduced to the messages in it.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A message that nobody has written: it tells whoever operates this that the way here works. It is
# logged with its tenant and otherwise ignored. No type of Meta's has this name.
PROBE = "lyo_probe"


class PayloadError(Exception):
    """A signed body that is not a notification."""


@dataclass(frozen=True)
class Incoming:
    """One message of a customer. `text` is empty for what is not text (pictures, stickers…)."""

    message_id: str
    phone_number_id: str
    wa_id: str
    kind: str
    text: str


def messages(body: bytes) -> list[Incoming]:
    """Return the messages of a notification; delivery reports and other fields hold none.

    Raises PayloadError for a body that is not JSON or not of Meta's shape.
    """
    try:
        notification = json.loads(body)
        return list(_messages(notification))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PayloadError(type(error).__name__) from error


def _messages(notification: dict[str, Any]) -> Iterator[Incoming]:
    for entry in notification["entry"]:
        for change in entry.get("changes", ()):
            if change.get("field") != "messages":
                continue
            value = change["value"]
            for message in value.get("messages", ()):
                kind = str(message.get("type", ""))
                text = message["text"]["body"] if kind == "text" else ""
                yield Incoming(
                    # NUL is valid JSON and no PostgreSQL text.
                    message_id=str(message["id"]).replace("\0", ""),
                    phone_number_id=str(value["metadata"]["phone_number_id"]).replace("\0", ""),
                    wa_id=str(message["from"]).replace("\0", ""),
                    kind=kind.replace("\0", ""),
                    text=str(text).replace("\0", ""),
                )
