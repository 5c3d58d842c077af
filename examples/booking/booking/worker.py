"""The background worker: one message at a time, until asked to stop."""

from __future__ import annotations

import asyncio
import contextlib

from booking import inbox, log, outbox, sessions
from booking.database import UNAVAILABLE as DATABASE_UNAVAILABLE
from booking.database import Database
from booking.releases import Behaviour

POLL_SECONDS = 1.0


class Worker:
    """Processes the inbox. Any number may run, in any number of processes."""

    def __init__(
        self,
        database: Database,
        cache: sessions.Sessions,
        behaviour: Behaviour,
        sender: outbox.Sender,
    ) -> None:
        self._database = database
        self._cache = cache
        self._behaviour = behaviour
        self._sender = sender
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the running event loop."""
        self._task = asyncio.create_task(self._run(), name="worker")

    def wake(self) -> None:
        """Look for messages now instead of at the next poll."""
        self._wake.set()

    async def stop(self) -> None:
        """Finish the message in hand, then end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopping:
            try:
                while not self._stopping and await self._one():
                    pass
                if not self._stopping:
                    async with self._database.transaction() as connection:
                        await outbox.deliver(connection, self._sender)
            except (*DATABASE_UNAVAILABLE, *sessions.UNAVAILABLE) as error:
                log.warning("worker waits for a dependency", error=type(error).__name__)
            except Exception:
                log.LOGGER.exception("worker failed and goes on")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            self._wake.clear()

    async def _one(self) -> bool:
        """Process the next message; return False when none is due."""
        message = None
        try:
            async with self._database.transaction() as connection:
                message = await inbox.take(connection)
                if message is None:
                    return False
                over = await inbox.process(connection, self._cache, message, self._behaviour)
        except (*DATABASE_UNAVAILABLE, *sessions.UNAVAILABLE):
            raise  # nobody's fault: the message waits, its attempts are not counted
        except Exception:
            assert message is not None
            log.LOGGER.exception(
                "message failed", extra={"data": {"message_id": message["message_id"]}}
            )
            async with self._database.transaction() as connection:
                if await inbox.postpone(connection, message["message_id"]):
                    log.warning("message given up", message_id=message["message_id"])
            return True
        if over:
            await self._cache.forget(message["tenant_id"], message["wa_id"])
        log.event(
            "message processed", message_id=message["message_id"], tenant=message["tenant_id"]
        )
        return True
