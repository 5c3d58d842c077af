"""`smoke`: the check behind `GET /smoke` as a command, for a database that nothing serves from."""

from __future__ import annotations

import asyncio

import psycopg

from booking import log, sessions
from booking.config import ServeConfig
from booking.database import UNAVAILABLE, Database
from booking.releases import behaviour
from booking.smoke import Smoke, SmokeError

APPLICATION = "booking-smoke"


def smoke(config: ServeConfig) -> int:
    """Run it once; return 0 when it is well, 1 when a step fails or something is away."""
    return asyncio.run(_smoke(config))


async def _smoke(config: ServeConfig) -> int:
    database = Database(config.database, APPLICATION)
    await database.open()
    conversations = sessions.Sessions(config.cache_url, config.cache_auth_token)
    does = behaviour(config.release)
    try:
        await Smoke(database, conversations, does, config.app_secret).run()
    except SmokeError as error:
        log.LOGGER.error("smoke failed: %s", error)
        return 1
    except (psycopg.Error, *UNAVAILABLE, *sessions.UNAVAILABLE) as error:
        log.LOGGER.error("smoke failed: %s: %s", type(error).__name__, error)
        return 1
    finally:
        await conversations.close()
        await database.close()
    log.event("smoke is well")
    return 0
