"""The image's entry point: `python -m booking serve | migrate … | seed … | smoke | export QUERY`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from booking import log
from booking.config import ConfigError, DatabaseConfig, ReleaseConfig, ServeConfig


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m booking")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer HTTP and process messages until SIGTERM")
    migrate = commands.add_parser("migrate", help="upgrade the schema to this release's revision")
    how = migrate.add_mutually_exclusive_group()
    how.add_argument(
        "--plan",
        "--check",
        action="store_true",
        help="change nothing, tell what is pending; exit 0 when up to date, 3 when pending",
    )
    how.add_argument(
        "--approve",
        metavar="DIGEST",
        help="run the plan with this digest and no other (`nothing`: none at all); else exit 3",
    )
    migrate.add_argument(
        "--contract",
        default="",
        metavar="REVISION",
        help="contract to this revision instead of expanding to the release's",
    )
    migrate.add_argument(
        "--seed",
        type=Path,
        metavar="FILE",
        help="create or update these tenants afterwards, for environments that come and go",
    )
    seed = commands.add_parser("seed", help="create or update tenants from a JSON file")
    seed.add_argument("--file", type=Path, required=True, help="a list of tenants")
    commands.add_parser("smoke", help="check the whole path on this database, and leave no trace")
    export = commands.add_parser("export", help="print the rows of a query, a JSON object a line")
    export.add_argument("query", help="SQL; it cannot change anything")
    return parser.parse_args()


def main() -> int:
    """Run one command. Each imports only what it needs, so that `serve` starts fast.

    Exit codes: 0 done, 1 failed (the last line says why), 2 configuration or usage error,
    3 migrations are pending and were not approved, or the release `crash` did what it is for,
    4 a migration could not get a lock.
    """
    arguments = _arguments()
    log.configure()
    try:
        if arguments.command == "serve":
            from booking.serve import serve

            return serve(ServeConfig.from_env(os.environ))
        if arguments.command == "smoke":
            from booking.proof import smoke

            return smoke(ServeConfig.from_env(os.environ))
        database = DatabaseConfig.from_env(os.environ)
        if arguments.command == "export":
            from booking.export import export

            return export(database, arguments.query)
        if arguments.command == "migrate":
            from booking.migration.runner import Request, migrate

            release = ReleaseConfig.from_env(os.environ)
            request = Request(arguments.plan, arguments.approve, arguments.contract)
            code = migrate(database, release, request)
            if code or arguments.plan or arguments.seed is None:
                return code
            arguments.file = arguments.seed
        from booking.seed import seed

        return seed(database, arguments.file)
    except ConfigError as error:
        print(f"booking: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
