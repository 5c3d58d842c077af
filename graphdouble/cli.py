"""`python -m graphdouble up|down|status|env|calls`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from graphdouble import lifecycle
from graphdouble.client import DoubleClient
from graphdouble.recorder import read_calls


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphdouble", description="Meta's Graph API on this machine, for WhatsApp webhooks."
    )
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("GRAPHDOUBLE_STATE", ".graphdouble")),
        help="folder of the double (default: GRAPHDOUBLE_STATE, else .graphdouble here)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", parents=[state], help="start it, or say that it runs")
    up.add_argument("--host", default="127.0.0.1", help="a loopback address (127.0.0.1)")
    up.add_argument("--port", type=int, default=0, help="0 for a free one (default)")
    up.add_argument("--ca", type=Path, help="PEM file of the authorities that callback URLs need")
    up.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a setting (docs/graph-double.md), may be repeated",
    )
    commands.add_parser("down", parents=[state], help="stop it and remove its folder")
    commands.add_parser("status", parents=[state], help="what there is, as JSON")
    commands.add_parser("env", parents=[state], help="shell exports")
    calls = commands.add_parser("calls", parents=[state], help="the calls it has answered")
    calls.add_argument("--writes", action="store_true", help="only calls that write")
    return parser


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code: 0, 1 (not as asked) or 2 (usage)."""
    arguments = _parser().parse_args(argv)
    arguments.state = arguments.state.resolve()
    try:
        return {"up": _up, "down": _down, "status": _status, "env": _env, "calls": _calls}[
            arguments.command
        ](arguments)
    except (lifecycle.LifecycleError, ValueError) as error:
        print(f"graphdouble: {error}", file=sys.stderr)
        return 1


def _settings(pairs: list[str]) -> dict[str, object]:
    changes: dict[str, object] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise lifecycle.LifecycleError(f"--set {pair}: write NAME=JSON.")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


def _up(arguments: argparse.Namespace) -> int:
    changes = _settings(arguments.set)
    found = lifecycle.running(arguments.state)
    if found is not None:
        print(f"double runs already at {found['endpoint']}")
        return 0
    found = lifecycle.up(
        arguments.state, host=arguments.host, port=arguments.port, ca_bundle=arguments.ca
    )
    try:
        DoubleClient(found["endpoint"]).settings(**changes)
    except ValueError:
        lifecycle.down(arguments.state)
        raise
    print(f"double is up at {found['endpoint']} (state in {arguments.state})")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    print(lifecycle.down(arguments.state))
    return 0


def _status(arguments: argparse.Namespace) -> int:
    found = lifecycle.require_running(arguments.state)
    client = DoubleClient(found["endpoint"])
    print(json.dumps({**found, **client.call("GET", "health")}, indent=2))
    return 0


def _env(arguments: argparse.Namespace) -> int:
    found = lifecycle.require_running(arguments.state)
    print(f"export LYO_GRAPH_URL={shlex.quote(found['endpoint'])}")
    return 0


def _calls(arguments: argparse.Namespace) -> int:
    path = arguments.state / "calls.jsonl"
    if not path.exists():
        raise lifecycle.LifecycleError(
            f"no record of calls in {arguments.state}: start a double with `python -m graphdouble up`."
        )
    for call in read_calls(path, writes=arguments.writes):
        print(
            f"{call.time}  {call.operation:<40} {call.object_id:<18} {call.status:<4}"
            f"{call.code or '-'} {call.fault}".rstrip()
        )
    return 0
