"""The conversation: a message, the session and the memory of the guest become a reply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from booking import replies
from booking.database import Connection, Row
from booking.parser import Understood, understand
from booking.releases import Behaviour
from booking.sessions import Session

# A release that needs only 0001 must not name a column of 0002.
CUSTOMER = "SELECT name, party_size, last_booking FROM customers"
SEEN = (
    "INSERT INTO customers (tenant_id, wa_id) VALUES (%(tenant)s, %(wa_id)s) ON CONFLICT DO NOTHING"
)
# From 0002 on nobody's allergies are left unsaid, so that 0003 can demand them.
SEEN_V2 = (
    "INSERT INTO customers (tenant_id, wa_id, allergies) VALUES (%(tenant)s, %(wa_id)s, '{}')"
    " ON CONFLICT DO NOTHING"
)
# From 0005 on guests has what party_size had, until 0006 takes that away.
BOOK = (
    "INSERT INTO bookings (tenant_id, wa_id, party_size, starts_at, source_message_id)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (source_message_id) DO NOTHING"
)
BOOK_V4 = (
    "INSERT INTO bookings (tenant_id, wa_id, guests, starts_at, source_message_id)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (source_message_id) DO NOTHING"
)
CUSTOMER_V2 = "SELECT name, party_size, last_booking, allergies FROM customers"


@dataclass(frozen=True)
class Turn:
    """The outcome of one message. `session` None ends the conversation."""

    reply: str
    session: Session | None


async def customer(
    connection: Connection, tenant_id: str, wa_id: str, behaviour: Behaviour
) -> Row | None:
    """Return what is remembered of a guest, None when nothing is."""
    query = CUSTOMER_V2 if behaviour.allergies else CUSTOMER
    cursor = await connection.execute(
        query + " WHERE tenant_id = %s AND wa_id = %s", (tenant_id, wa_id)
    )
    return await cursor.fetchone()


async def answer(
    connection: Connection,
    tenant: Row,
    message: Row,
    session: Session | None,
    now: datetime,
    behaviour: Behaviour,
) -> Turn:
    """Work out the reply to a message (inbox row), and write what is to be remembered.

    Everything happens in the caller's transaction. `now` is aware; the tenant's time zone counts.
    """
    local = now.astimezone(ZoneInfo(tenant["timezone"])).replace(tzinfo=None)
    memory = await _remember_seen(connection, tenant["id"], message["wa_id"], behaviour)
    said = understand(message["body"] or "", local.date(), session.expected if session else None)
    if not behaviour.allergies:
        said = replace(said, allergies=())
    known = memory["name"] is not None
    name = said.name or memory["name"]
    await _remember_said(connection, tenant["id"], message["wa_id"], said, memory)
    talk = _Talk(connection, tenant, message, said, session or Session(), memory, local, behaviour)
    if message["kind"] != "text":
        turn = Turn(replies.text_only(), session)
    elif said.want == "cancel":
        turn = await talk.cancel()
    elif said.books or (session is not None and _continues(said, session)):
        turn = await talk.book()
    elif said.allergies:
        turn = Turn(replies.allergies_noted(", ".join(said.allergies)), session)
    elif said.name:
        turn = Turn(replies.nice_to_meet(tenant["name"]), session or Session())
    elif said.want == "thanks":
        turn = Turn(replies.thanks(), session)
    elif said.want == "greeting":
        turn = Turn(replies.welcome(tenant["name"], known), session or Session())
    else:
        turn = Turn(replies.not_understood(), session or Session())
    if session is None or said.greets or said.name:
        return replace(turn, reply=f"{replies.hello(name)} {turn.reply}")
    return turn


def _continues(said: Understood, session: Session) -> bool:
    """Whether a message without booking data of its own answers the last question."""
    return said.agrees is not None and session.offered_persons is not None


async def _remember_seen(
    connection: Connection, tenant_id: str, wa_id: str, behaviour: Behaviour
) -> Row:
    await connection.execute(
        SEEN_V2 if behaviour.allergies else SEEN, {"tenant": tenant_id, "wa_id": wa_id}
    )
    memory = await customer(connection, tenant_id, wa_id, behaviour)
    assert memory is not None
    return memory


async def _remember_said(
    connection: Connection, tenant_id: str, wa_id: str, said: Understood, memory: Row
) -> None:
    if said.name:
        await connection.execute(
            "UPDATE customers SET name = %s, updated_at = now() WHERE tenant_id = %s AND wa_id = %s",
            (said.name, tenant_id, wa_id),
        )
    if said.allergies:
        together = list(dict.fromkeys([*(memory["allergies"] or ()), *said.allergies]))
        memory["allergies"] = together
        await connection.execute(
            "UPDATE customers SET allergies = %s, updated_at = now()"
            " WHERE tenant_id = %s AND wa_id = %s",
            (together, tenant_id, wa_id),
        )


@dataclass
class _Talk:
    """One message in its context; `local` is the tenant's wall clock."""

    connection: Connection
    tenant: Row
    message: Row
    said: Understood
    session: Session
    memory: Row
    local: datetime
    behaviour: Behaviour

    async def book(self) -> Turn:
        said, session = self.said, self.session
        persons = said.persons or session.persons
        if persons is None and session.offered_persons and said.agrees:
            persons = session.offered_persons
        session = Session(persons, said.day or session.day, said.at or session.at)
        limit = self.tenant["max_party_size"]
        if persons and persons > limit:
            return Turn(replies.too_many(limit), replace(session, persons=None))
        missing = self._missing(session)
        if missing:
            usual = None if said.agrees is False else self.memory["party_size"]
            session = replace(
                session, expected=missing, offered_persons=usual if missing == "persons" else None
            )
            return Turn(replies.ask(missing, usual), session)
        assert session.day is not None
        assert session.at is not None
        assert persons is not None
        when = datetime.combine(session.day, session.at)
        if when <= self.local:
            return Turn(replies.in_the_past(), Session(persons=persons, expected="day"))
        return await self._confirm(persons, when)

    @staticmethod
    def _missing(session: Session) -> str | None:
        slots = {"persons": session.persons, "day": session.day, "time": session.at}
        return next((slot for slot, value in slots.items() if value is None), None)

    async def _confirm(self, persons: int, when: datetime) -> Turn:
        tenant_id, wa_id = self.tenant["id"], self.message["wa_id"]
        starts_at = when.replace(tzinfo=ZoneInfo(self.tenant["timezone"]))
        # A message that is processed twice books once.
        await self.connection.execute(
            BOOK_V4 if self.behaviour.guests else BOOK,
            (tenant_id, wa_id, persons, starts_at, self.message["message_id"]),
        )
        await self.connection.execute(
            "UPDATE customers SET party_size = %s, last_booking = %s, updated_at = now()"
            " WHERE tenant_id = %s AND wa_id = %s",
            (persons, starts_at, tenant_id, wa_id),
        )
        allergies = ", ".join(self.memory.get("allergies") or ()) or None
        return Turn(replies.confirmed(self.tenant["name"], persons, when, allergies), None)

    async def cancel(self) -> Turn:
        cursor = await self.connection.execute(
            "UPDATE bookings SET cancelled_at = now() WHERE id = (SELECT id FROM bookings"
            " WHERE tenant_id = %s AND wa_id = %s AND cancelled_at IS NULL AND starts_at > %s"
            " ORDER BY starts_at LIMIT 1) RETURNING starts_at",
            (
                self.tenant["id"],
                self.message["wa_id"],
                self.local.replace(tzinfo=ZoneInfo(self.tenant["timezone"])),
            ),
        )
        row = await cursor.fetchone()
        if row is None:
            return Turn(replies.nothing_to_cancel(), None)
        when = row["starts_at"].astimezone(ZoneInfo(self.tenant["timezone"]))
        return Turn(replies.cancelled(when), None)
