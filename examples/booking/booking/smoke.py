"""The application's own end-to-end check, in a scratch tenant that never becomes visible."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from booking import inbox, payload, signature
from booking.database import Connection, Database
from booking.releases import Behaviour
from booking.sessions import Sessions

GUEST = "Giulia"


class SmokeError(Exception):
    """The check failed; the message says at which step."""


class _Undo(Exception):  # noqa: N818 - not an error
    """Ends the transaction without a trace."""


@dataclass(frozen=True)
class Smoke:
    """Everything the check goes through."""

    database: Database
    sessions: Sessions
    behaviour: Behaviour
    app_secret: str

    async def run(self) -> None:
        """Receive, store, answer and remember two messages; raise SmokeError when one step fails.

        It all happens in one transaction that is rolled back, so that no other process sees the
        tenant and nothing is left behind.
        """
        if self.behaviour.smoke_fails:
            raise SmokeError("this release fails its smoke check on purpose")
        tenant = f"smoke-{secrets.token_hex(8)}"
        try:
            async with self.database.transaction() as connection:
                await connection.execute(
                    "INSERT INTO tenants (id, name, phone_number_id) VALUES (%s, %s, %s)",
                    (tenant, "Trattoria di Prova", tenant),
                )
                await self._talk(connection, tenant)
                raise _Undo  # noqa: TRY301 - how a psycopg transaction is rolled back
        except _Undo:
            pass
        finally:
            await self.sessions.forget(tenant, tenant)

    async def _talk(self, connection: Connection, tenant: str) -> None:
        await self._say(connection, tenant, f"Buonasera, mi chiamo {GUEST}")
        reply = await self._say(connection, tenant, "Ciao!")
        if f"Ciao {GUEST}" not in reply:
            raise SmokeError("the guest's name was not remembered")

    async def _say(self, connection: Connection, tenant: str, text: str) -> str:
        message_id = f"{tenant}-{secrets.token_hex(8)}"
        body = notification(tenant, tenant, message_id, text)
        if not signature.verify(self.app_secret, body, signature.sign(self.app_secret, body)):
            raise SmokeError("a valid signature was refused")
        if await inbox.store(connection, payload.messages(body)) != (1, 0):
            raise SmokeError("a message was not stored for its tenant")
        if await inbox.store(connection, payload.messages(body)) != (0, 0):
            raise SmokeError("a message that came twice was stored twice")
        cursor = await connection.execute(
            "SELECT * FROM inbox WHERE message_id = %s", (message_id,)
        )
        row = await cursor.fetchone()
        assert row is not None
        await inbox.process(connection, self.sessions, row, self.behaviour)
        cursor = await connection.execute(
            "SELECT body FROM outbox WHERE message_id = %s", (message_id,)
        )
        reply = await cursor.fetchone()
        if reply is None:
            raise SmokeError("a message got no reply")
        return str(reply["body"])


def notification(phone_number_id: str, wa_id: str, message_id: str, text: str) -> bytes:
    """Return a body of Meta's shape with one text message."""
    message = {"id": message_id, "from": wa_id, "type": "text", "text": {"body": text}}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": phone_number_id},
        "messages": [message],
    }
    change = {"field": "messages", "value": value}
    entry = {"id": "0", "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
