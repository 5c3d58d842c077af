"""The connection pool. It heals by itself when the server was away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from booking.config import DatabaseConfig

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
# What "the database is away" looks like; everything else is a defect.
UNAVAILABLE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


class DatabaseAwayError(psycopg.OperationalError):
    """The server was away a moment ago, and somebody else is already asking whether it is back."""


class Database:
    """One to eight connections, each checked before it is handed out.

    A caller waits at most `wait` seconds (2 by default) and then gets PoolTimeout. From then on one
    caller at a time waits like this, and the others get DatabaseAwayError at once, until one gets a
    connection. So a long absence costs neither time nor memory (the pool keeps an entry for each
    caller that waited in vain), and is over as soon as the server is back.
    """

    def __init__(self, config: DatabaseConfig, application: str) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            connection_class=psycopg.AsyncConnection[Row],
            kwargs={
                **config.connect_args(application),
                "row_factory": dict_row,
                "options": "-c statement_timeout=5s -c idle_in_transaction_session_timeout=30s",
            },
            min_size=1,
            max_size=8,
            # No max_waiting: those who waited in vain count, and at the limit the pool no longer
            # tries to connect, for ever.
            timeout=2.0,
            # After this the pool gives up until the next caller asks. Left at its default of five
            # minutes its growing pauses would keep the application down long after the server is up.
            reconnect_timeout=2.0,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        self._away = False
        self._probing = False

    async def open(self) -> None:
        """Start connecting in the background: the application starts even without a server."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close(timeout=2.0)

    @asynccontextmanager
    async def transaction(self, wait: float | None = None) -> AsyncIterator[Connection]:
        """Give a connection in a transaction: committed at the end, rolled back on an exception."""
        connection = await self._acquire(wait)
        try:
            async with connection:
                yield connection
        finally:
            await self._pool.putconn(connection)

    async def _acquire(self, wait: float | None) -> Connection:
        if not self._away:
            try:
                return await self._pool.getconn(timeout=wait)
            except PoolTimeout:
                self._away = True
                raise
        if self._probing:
            raise DatabaseAwayError("the database is away")
        self._probing = True
        try:
            connection = await self._pool.getconn(timeout=wait)
            self._away = False
            return connection
        finally:
            self._probing = False

    async def ping(self) -> None:
        """Raise one of UNAVAILABLE unless the server answers."""
        async with self.transaction(wait=1.0) as connection:
            await connection.execute("SELECT 1")
