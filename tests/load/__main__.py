"""`python -m tests.load --url URL …`: exit 0 when every request got its 200, 1 when one did not."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tests.load.generator import TIMEOUT_SECONDS, run
from tests.load.mix import Mix, Shots
from tests.load.report import Outcome, Report, write_outcomes

SECRET = "WHATSAPP_APP_SECRET"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description="Send requests at a constant rate and count what becomes of each.",
        epilog=f"Webhook messages are signed with the secret in the environment variable {SECRET}.",
    )
    parser.add_argument("--url", required=True, help="base URL, such as https://127.1.1.1:10443")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (100)")
    parser.add_argument("--seconds", type=float, help="how long to send (until Ctrl-C)")
    parser.add_argument("--ca", type=Path, help="PEM file with the certificate authority to trust")
    parser.add_argument("--mix", default="", help="shares: health=30,version=28,webhook=40,slow=2")
    parser.add_argument("--slow-seconds", type=float, default=Mix.slow_seconds)
    parser.add_argument("--fresh", type=float, default=Mix.fresh, help="share of new connections")
    parser.add_argument("--phone-number-id", default=Mix.phone_number_id, help="the tenant's")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds (10)")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--report", type=Path, help="write the whole report to this file")
    parser.add_argument("--outcomes", type=Path, help="write every request to this file")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when standard input is closed"
    )
    arguments = parser.parse_args()
    try:
        arguments.shots = Shots(
            replace(
                Mix.parse(arguments.mix) if arguments.mix else Mix(),
                slow_seconds=arguments.slow_seconds,
                fresh=arguments.fresh,
                phone_number_id=arguments.phone_number_id,
            ),
            os.environ.get(SECRET, ""),
        )
    except ValueError as error:
        parser.error(f"{error} (--mix, {SECRET})")
    return arguments


def _at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(0, 4096):
        loop.remove_reader(0)
        stop.set()


async def _run(arguments: argparse.Namespace) -> Report:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if arguments.until_eof:
        # Whoever started us may die without a word; its end of the pipe closes all the same.
        loop.add_reader(0, _at_eof, loop, stop)
        print("started", flush=True)
    outcomes: list[Outcome] = []
    report = await run(
        arguments.url,
        arguments.shots,
        arguments.rate,
        arguments.seconds,
        stop,
        arguments.ca,
        arguments.timeout,
        outcomes,
    )
    if arguments.outcomes:
        write_outcomes(arguments.outcomes, datetime.fromisoformat(report.started), outcomes)
    return report


def main() -> int:
    """Run, report, and return the exit code."""
    arguments = _arguments()
    report = asyncio.run(_run(arguments))
    if arguments.report:
        arguments.report.write_text(report.as_json())
    print(report.as_json() if arguments.json else report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
