"""`python -m localcloud up|down|status|env|calls|faults`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import urllib.error
import urllib.request
from pathlib import Path

from localcloud import lifecycle, outside
from localcloud.faults import PATH as FAULTS_PATH
from localcloud.recorder import read_calls
from localcloud.settings import DEFAULT_REGION, DEFAULT_SPEED, HIGHEST_NUMBER, default_state_dir


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= HIGHEST_NUMBER:
        raise argparse.ArgumentTypeError(f"must be between 1 and {HIGHEST_NUMBER}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="localcloud", description="AWS's APIs on this machine with a real data plane."
    )
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument(
        "--state",
        type=Path,
        default=default_state_dir(),
        help="folder of the local cloud (default: LOCALCLOUD_STATE, else .localcloud here)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", parents=[state], help="start it, or say that it runs")
    up.add_argument(
        "--number",
        type=_number,
        help=f"1 to {HIGHEST_NUMBER}: its addresses are 127.NUMBER.x.y (default: the first free one)",
    )
    up.add_argument(
        "--speed",
        type=float,
        default=float(os.environ.get("LOCALCLOUD_SPEED", DEFAULT_SPEED)),
        help="cloud seconds per wall second, for every wait (default: LOCALCLOUD_SPEED, else 10)",
    )
    up.add_argument("--region", default=DEFAULT_REGION)
    commands.add_parser("down", parents=[state], help="stop it and remove its folder")
    status = commands.add_parser("status", parents=[state], help="what runs")
    status.add_argument("--json", action="store_true")
    commands.add_parser("env", parents=[state], help="shell exports for any AWS client")
    calls = commands.add_parser("calls", parents=[state], help="the API calls it has answered")
    calls.add_argument(
        "--since", metavar="ISO-TIME", help="only calls from then on (UTC unless it has an offset)"
    )
    calls.add_argument("--writes", action="store_true", help="only calls that write")
    calls.add_argument("--json", action="store_true", help="one JSON object a line")
    faults = commands.add_parser(
        "faults",
        parents=[state],
        help="make calls fail on purpose; without options: what is in force",
    )
    chosen = faults.add_mutually_exclusive_group()
    chosen.add_argument(
        "--set", type=Path, metavar="FILE", help="a schedule: {seed, rules: [{action, …}]} as JSON"
    )
    chosen.add_argument("--clear", action="store_true", help="no more faults")
    chosen.add_argument("--release", choices=["go", "drop"], help="what becomes of held calls")
    return parser


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code: 0, 1 (not as asked) or 2 (usage)."""
    arguments = _parser().parse_args(argv)
    arguments.state = arguments.state.resolve()
    try:
        return {
            "up": _up,
            "down": _down,
            "status": _status,
            "env": _env,
            "calls": _calls,
            "faults": _faults,
        }[arguments.command](arguments)
    except lifecycle.LifecycleError as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `localcloud calls | head` is no error; keep the interpreter from flushing into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _up(arguments: argparse.Namespace) -> int:
    running = lifecycle.running(arguments.state)
    if running is not None:
        print(f"localcloud {running['number']} runs already at {running['endpoint']}")
        return 0
    cloud = lifecycle.up(
        arguments.state,
        number=arguments.number,
        speed=arguments.speed,
        region=arguments.region,
        say=print,
    )
    print(
        f"localcloud {cloud['number']} is up at {cloud['endpoint']} "
        f"(speed {cloud['speed']:g}, state in {arguments.state})"
    )
    return 0


def _down(arguments: argparse.Namespace) -> int:
    print(lifecycle.down(arguments.state))
    return 0


def _status(arguments: argparse.Namespace) -> int:
    cloud = lifecycle.require_running(arguments.state)
    report = outside.status(cloud)
    if arguments.json:
        print(json.dumps(report, indent=2, default=str))
    else:
        for line in outside.status_lines(report):
            print(line)
    return 0


def _env(arguments: argparse.Namespace) -> int:
    cloud = lifecycle.require_running(arguments.state)
    for name, value in outside.exports(cloud).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _calls(arguments: argparse.Namespace) -> int:
    path = arguments.state / "calls.jsonl"
    if not path.exists():
        raise lifecycle.LifecycleError(
            f"no record of calls in {arguments.state}: start a local cloud with `python -m localcloud up`."
        )
    try:
        for call in read_calls(path, arguments.since, arguments.writes):
            if arguments.json:
                print(json.dumps(call.__dict__, separators=(",", ":")))
            else:
                print(
                    f"{call.time}  {call.service:<24} {call.operation:<36} {call.kind:<5} "
                    f"{call.error or '-':<28} {call.resource or ''}".rstrip()
                )
    except ValueError as error:
        raise lifecycle.LifecycleError(f"--since {arguments.since}: {error}") from error
    return 0


def _faults(arguments: argparse.Namespace) -> int:
    cloud = lifecycle.require_running(arguments.state)
    try:
        body = arguments.set.read_bytes() if arguments.set else b""
    except OSError as error:
        raise lifecycle.LifecycleError(str(error)) from error
    method = "PUT" if arguments.set else "DELETE" if arguments.clear else "GET"
    query = ""
    if arguments.release:
        method, query = "POST", "?drop=1" if arguments.release == "drop" else ""
    request = urllib.request.Request(  # noqa: S310 - this machine's own local cloud
        f"{cloud['endpoint']}{FAULTS_PATH}{query}", data=body or None, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            print(json.dumps(json.loads(answer.read()), indent=2))
    except urllib.error.HTTPError as error:
        problem = json.loads(error.read()).get("problem", str(error))
        raise lifecycle.LifecycleError(f"{arguments.set}: {problem}") from error
    return 0
