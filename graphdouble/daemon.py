"""The process of a double: `python -m graphdouble.daemon STATE HOST PORT [CA-BUNDLE]`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from graphdouble.control import application
from graphdouble.server import Double


async def serve(state: Path, host: str, port: int, ca_bundle: Path | None) -> None:
    """Serve until SIGTERM or SIGINT; says in double.json where, once it answers."""
    double = Double(ca_bundle=ca_bundle, record=state / "calls.jsonl")
    # No access log: tokens travel in queries.
    runner = web.AppRunner(application(double), access_log=None, handle_signals=False)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    bound = runner.addresses[0][1]
    document = {"endpoint": f"http://{host}:{bound}", "pid": os.getpid()}
    temporary = state / "double.json.tmp"
    temporary.write_text(json.dumps(document))
    temporary.replace(state / "double.json")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()


def main(argv: list[str]) -> int:
    """Run."""
    state, host, port, *rest = argv
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Path(state), host, int(port), Path(rest[0]) if rest else None))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
