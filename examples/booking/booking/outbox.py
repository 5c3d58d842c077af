"""Replies that go out: written with what caused them, sent after."""

from __future__ import annotations

from typing import Protocol

from booking.database import Connection, Row


class Sender(Protocol):
    """Hands a reply to WhatsApp; an exception means it is tried again."""

    async def send(self, reply: Row) -> None:
        """Send one outbox row (message_id, tenant_id, wa_id, body)."""


class Recorder:
    """The default sender: a reply is recorded in the outbox and goes nowhere else."""

    async def send(self, reply: Row) -> None:
        """Accept the reply; its row is the record."""


async def deliver(connection: Connection, sender: Sender) -> int:
    """Send what is waiting, oldest first, and return how many went out (at most 50)."""
    cursor = await connection.execute(
        "SELECT id, message_id, tenant_id, wa_id, body FROM outbox WHERE sent_at IS NULL"
        " ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED"
    )
    rows = await cursor.fetchall()
    for row in rows:
        await sender.send(row)
        await connection.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", (row["id"],))
    return len(rows)
