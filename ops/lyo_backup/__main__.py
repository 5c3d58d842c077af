"""`python -m lyo_backup <verb>`: see docs/backups.md.

Exit codes: 0 good, 1 failed, 2 refused (nothing was changed), 3 a damaged backup was found.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from . import said
from .failures import FAILED, REFUSED, EndError, RefusedError, explain
from .settings import Settings, read, require_database, valid_id

DATABASE_VERBS = ("dump", "restore", "verify", "inspect", "tenant")


class _Parser(argparse.ArgumentParser):
    """Ends with 2 like any refusal, in one line."""

    def error(self, message: str) -> NoReturn:
        said.wrong(f"{message} (see --help)")
        said.event("refused", reason=message, reasons=[message])
        raise SystemExit(REFUSED)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = _Parser(prog="lyo_backup", description="Logical backups of one database in S3.")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help_text: str, *, with_id: bool = True, copies: bool = True) -> Any:
        one = verbs.add_parser(name, help=help_text, description=help_text)
        if with_id:
            one.add_argument("--id", required=True, help="YYYYMMDDTHHMMSSZ-<8 hex digits>")
        if copies:
            one.add_argument("--copy", action="store_true", help="of the second bucket")
        return one

    verb("dump", "make a backup of the database", copies=False)
    verb("check", "read a backup back and compare it with its manifest")
    one = verb("restore", "restore a backup into an empty database")
    one.add_argument(
        "--no-owner", action="store_true", help="everything belongs to the connecting user"
    )
    verb("verify", "restore a backup into a scratch database and compare it with its manifest")
    verb("copy", "copy a backup into the second bucket", copies=False)
    verb("inspect", "count a database's rows and run pg_amcheck", with_id=False, copies=False)
    one = verb("tenant", "bring one tenant's rows back into the live database")
    one.add_argument("--tenant", required=True, help="as the tenants' table has it")
    one.add_argument("--approve", default="", metavar="DIGEST", help="of what was shown")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--only", choices=["missing"], default="missing", help="the default")
    how.add_argument(
        "--replace", action="store_true", help="also change what differs, delete what is new"
    )
    verb("list", "list the backups with their verdicts", with_id=False)
    return whole


def run(arguments: argparse.Namespace) -> int:
    """Run a verb; returns the exit code.

    :raises EndError: it ended otherwise than well.
    """
    settings = read(os.environ, bucket_needed=arguments.verb != "inspect")
    if arguments.verb in DATABASE_VERBS:
        require_database(os.environ)
    backup_id = valid_id(arguments.id) if hasattr(arguments, "id") else ""
    copy = getattr(arguments, "copy", False)
    if copy and not settings.copy_bucket:
        raise RefusedError("--copy: LYO_BACKUP_COPY_BUCKET is not set, there is no second bucket")
    return _verb(arguments, settings, backup_id, copy=copy)


def _verb(arguments: argparse.Namespace, settings: Settings, backup_id: str, *, copy: bool) -> int:
    # Not at the top: what a verb does not need it does not load.
    match arguments.verb:
        case "dump":
            from .dump import dump

            return dump(settings, backup_id)
        case "check":
            from .check import check

            return check(settings, backup_id, copy=copy)
        case "restore":
            from .restore import restore

            return restore(settings, backup_id, copy=copy, no_owner=arguments.no_owner)
        case "verify":
            from .verify import verify

            return verify(settings, backup_id, copy=copy)
        case "copy":
            from .copying import copy as make_copy

            return make_copy(settings, backup_id)
        case "inspect":
            from .inspection import inspect

            return inspect(settings)
        case "tenant":
            from .tenant import tenant

            return tenant(
                settings,
                backup_id,
                arguments.tenant,
                approve=arguments.approve,
                replace=arguments.replace,
                copy=copy,
            )
        case _:
            from .listing import listing

            return listing(settings, copy=copy)


def main(argv: list[str]) -> int:
    """Run the program; returns the exit code."""
    arguments = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _end)
    try:
        return run(arguments)
    except EndError as error:
        reasons = getattr(error, "reasons", [str(error)])
        for reason in reasons:
            said.wrong(f"{error.event}: {reason}")
        short = said.short(reasons)
        said.event(error.event, verb=arguments.verb, reason=short[0], reasons=short)
        return error.code
    except (ClientError, BotoCoreError) as error:
        return _failed(arguments.verb, str(explain(error, arguments.verb)))
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        return _failed(arguments.verb, f"the database: {text} (run the same again)")
    except KeyboardInterrupt:
        return _failed(arguments.verb, "interrupted: run the same again")


def _failed(verb: str, reason: str) -> int:
    said.wrong(f"failed: {reason}")
    (short,) = said.short([reason])
    said.event("failed", verb=verb, reason=short, reasons=[short])
    return FAILED


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM, as ECS sends it, cleans up as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
