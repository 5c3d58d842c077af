"""Messages that came in: stored before they are acknowledged, processed once, never lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from booking.assistant import answer
from booking.database import Connection, Row
from booking.payload import Incoming
from booking.releases import Behaviour
from booking.sessions import Sessions

MAX_ATTEMPTS = 8


async def store(connection: Connection, incoming: Sequence[Incoming]) -> tuple[int, int]:
    """Store messages; return how many are new, and how many of these belong to no tenant.

    Meta delivers at least once: a message id that is known is ignored.
    """
    new = unrouted = 0
    for message in incoming:
        cursor = await connection.execute(
            "INSERT INTO inbox (message_id, phone_number_id, wa_id, kind, body, tenant_id)"
            " VALUES (%s, %s, %s, %s, %s, (SELECT id FROM tenants WHERE phone_number_id = %s))"
            " ON CONFLICT (message_id) DO NOTHING RETURNING tenant_id",
            (
                message.message_id,
                message.phone_number_id,
                message.wa_id,
                message.kind,
                message.text,
                message.phone_number_id,
            ),
        )
        row = await cursor.fetchone()
        if row is not None:
            new += 1
            unrouted += row["tenant_id"] is None
    return new, unrouted


async def tenants_of(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    """Return the tenants of phone numbers; a number that nobody has is left out."""
    cursor = await connection.execute(
        "SELECT phone_number_id, id FROM tenants WHERE phone_number_id = ANY(%s)", (list(numbers),)
    )
    return {row["phone_number_id"]: row["id"] for row in await cursor.fetchall()}


async def take(connection: Connection) -> Row | None:
    """Lock and return the oldest message that is due, None when there is none.

    The lock lives as long as the transaction: a process that dies gives its message back. Messages
    of one guest are taken in their order, whichever process takes them.
    """
    cursor = await connection.execute(
        "SELECT i.* FROM inbox i WHERE i.tenant_id IS NOT NULL AND i.processed_at IS NULL"
        " AND i.failed_at IS NULL AND i.due_at <= now() AND NOT EXISTS (SELECT 1 FROM inbox o"
        " WHERE o.tenant_id = i.tenant_id AND o.wa_id = i.wa_id AND o.processed_at IS NULL"
        " AND o.failed_at IS NULL AND o.id < i.id)"
        " ORDER BY i.id LIMIT 1 FOR UPDATE OF i SKIP LOCKED"
    )
    return await cursor.fetchone()


async def process(
    connection: Connection,
    sessions: Sessions,
    message: Row,
    behaviour: Behaviour,
    now: datetime | None = None,
) -> bool:
    """Answer one locked message; return whether its conversation is over.

    The session is written before the commit and, when the conversation is over, to be removed by
    the caller after it: whatever dies in between, processing the message again gives the same.
    """
    cursor = await connection.execute(
        "SELECT * FROM tenants WHERE id = %s", (message["tenant_id"],)
    )
    tenant = await cursor.fetchone()
    assert tenant is not None
    session = await sessions.get(tenant["id"], message["wa_id"])
    turn = await answer(connection, tenant, message, session, now or datetime.now(UTC), behaviour)
    await connection.execute(
        "INSERT INTO outbox (message_id, tenant_id, wa_id, body) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (message_id) DO NOTHING",
        (message["message_id"], tenant["id"], message["wa_id"], turn.reply),
    )
    # What a guest wrote is kept only until it is answered.
    await connection.execute(
        "UPDATE inbox SET processed_at = now(), body = NULL WHERE id = %s", (message["id"],)
    )
    if turn.session is not None:
        await sessions.put(tenant["id"], message["wa_id"], turn.session)
    return turn.session is None


async def postpone(connection: Connection, message_id: str) -> bool:
    """Try a message again later, doubling the pause; return True when it is given up instead."""
    cursor = await connection.execute(
        "UPDATE inbox SET attempts = attempts + 1,"
        " due_at = now() + least(power(2, attempts), 60) * interval '1 second',"
        " failed_at = CASE WHEN attempts + 1 >= %s THEN now() END"
        " WHERE message_id = %s AND processed_at IS NULL RETURNING failed_at",
        (MAX_ATTEMPTS, message_id),
    )
    row = await cursor.fetchone()
    return row is not None and row["failed_at"] is not None
