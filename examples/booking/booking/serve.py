"""`serve`: the HTTP server and its shutdown."""

from __future__ import annotations

import signal
import time

import uvicorn

from booking import log, web
from booking.config import ServeConfig
from booking.releases import EXIT_CRASH, behaviour

# Above a load balancer's idle time-out (60 s on an ALB), so that it is never we who close first:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
KEEP_ALIVE_SECONDS = 75
# Below ECS's default stopTimeout of 30 s.
GRACEFUL_SECONDS = 25


def serve(config: ServeConfig) -> int:
    """Serve until SIGTERM or SIGINT, finish what is in flight, and return 0.

    Returns 1 when the address cannot be bound, 3 for the release that crashes on purpose.
    """
    does = behaviour(config.release)
    if does.crashes:
        log.LOGGER.error("crashing at start: this release does so on purpose")
        return EXIT_CRASH
    # uvicorn raises the signal again when it has shut down; by default that would kill us after a
    # clean end, and the exit code would not be 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    if does.slow_start:
        log.event("starting slowly on purpose", seconds=config.slow_start_seconds)
        time.sleep(config.slow_start_seconds)
    server = uvicorn.Server(
        uvicorn.Config(
            web.create(config),
            host=config.host,
            port=config.port,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
        )
    )
    server.run()
    return 0 if server.started else 1
