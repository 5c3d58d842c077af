"""`python -m tests.recovery`: exit 0 when every loss was recovered from, and every refusal refused.

On an environment of its own, or on the deployed one that LYO_TEST_STATE names; that serves v1 afterwards, on
another instance than before.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from tests.recovery import drill, refusals
from tests.recovery.losses import LOSSES
from tests.recovery.result import Result, table
from tests.recovery.site import Site
from tests.runbooks.deployment import SPEED, Deployment
from tests.runbooks.harness import ROOT

PAGE = ROOT / "docs" / "recovery.md"
BEGIN, END = "<!-- made by make recovery -->", "<!-- end -->"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.recovery", description=__doc__)
    parser.add_argument("losses", nargs="*", metavar="LOSS", help=f"of {', '.join(LOSSES)} (all)")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument(
        "--terraform-last",
        action="store_true",
        help="Terraform takes the new instances over at the end of all, not in each run",
    )
    parser.add_argument("--minutes", type=float, default=120, help="begin none later (120)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.losses) - set(LOSSES))
    if unknown:
        parser.error(f"no such loss: {', '.join(unknown)}")
    return arguments


def _told(text: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


def _tried(name: str, what: Callable[[], Result]) -> Result:
    """A result, whatever becomes of it: the others are tried all the same."""
    _told(name)
    try:
        result = what()
    except Exception as error:
        traceback.print_exc()
        result = Result(name, "").but(str(error) or type(error).__name__)
    for text in result.wrong:
        _told(f"WRONG: {text}")
    print(table([result]).splitlines()[-1], flush=True)
    return result


def _all(site: Site, wanted: list[str], minutes: float) -> list[Result]:
    """The results of all that are wanted, or of those that were begun in that time."""
    end = time.monotonic() + minutes * 60
    results: list[Result] = []
    for name in wanted:
        if time.monotonic() < end:
            results.append(_tried(name, partial(LOSSES[name], site)))
    return results


def _drilled(site: Site) -> drill.Drilled:
    """A drill, and what is wrong where it broke off."""
    _told("drill")
    try:
        found = drill.drilled(site)
    except Exception as error:
        traceback.print_exc()
        found = drill.Drilled("", str(error) or type(error).__name__)
    _told(f"WRONG: {found.wrong}" if found.wrong else found.figures)
    return found


def _refused(site: Site) -> list[refusals.Refusal]:
    """What was refused, and not so where asking for it broke off."""
    try:
        return refusals.all_of(site, _told)
    except Exception as error:
        traceback.print_exc()
        return [refusals.Refusal("what must be refused", (), "it broke off", (str(error),))]


def _ends(site: Site) -> str:
    """What is wrong once the former instances are released, empty where nothing is."""
    _told("release_old, and a deploy that must have nothing to do")
    try:
        site.release_old()
        deploy = site.environment.run("deploy.yml")
        assert "UNCHANGED" in deploy.output, deploy.output  # nor has Terraform anything to do
    except Exception as error:
        traceback.print_exc()
        return str(error) or type(error).__name__
    return ""


def _page(
    results: list[Result],
    refused: list[refusals.Refusal],
    drilled: drill.Drilled,
    *,
    ended: bool,
    terraform_last: bool,
) -> str:
    acknowledged = sum(one.acknowledged for one in results)
    missing = sum(one.missing + one.rows_missing for one in results)
    measured = (
        f"Measured on {datetime.now(UTC):%d %B %Y} by `python -m tests.recovery`: {len(results)} of {len(LOSSES)} "
        f"losses, {acknowledged:,} messages acknowledged before the points that were restored. **{missing} messages "
        f"or rows are missing.** `drill.yml` after them, while guests book: "
        f"{drilled.figures}{' **FAILED**' if drilled.wrong else ''}. "
        + (
            "At the end `release_old=true` deleted the former instances, and `deploy.yml` had nothing to do."
            if ended
            else "**FAILED**: releasing the former instances at the end, or the deploy after it."
        )
    )
    how = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, local cloud at speed {SPEED}: what RDS takes "
        "minutes for takes seconds, so the times say what the runbooks do, not what AWS does."
        + (
            " Terraform took the new instances over once, after all of them (`--terraform-last`): the runbooks' "
            "seconds are without it."
            if terraform_last
            else ""
        )
    )
    tables = [table(results), *([refusals.table(refused)] if refused else [])]
    return "\n\n".join([BEGIN, measured, *tables, how, END])


def main() -> int:
    """Lose and recover, report, and return the exit code."""
    arguments = _arguments()
    deployment = Deployment()
    try:
        site = Site(deployment.environment(), terraform_last=arguments.terraform_last)
        image = site.environment.run("ops_image.yml")
        assert image.returncode == 0, image.output
        results = _all(site, arguments.losses or list(LOSSES), arguments.minutes)
        refused = [] if arguments.losses else _refused(site)
        drilled = _drilled(site)
        ends = _ends(site)
    finally:
        deployment.remove()
    print(table(results))
    good = (
        not (ends or drilled.wrong)
        and all(one.good for one in results)
        and all(one.good for one in refused)
    )
    if arguments.write:
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        PAGE.write_text(
            before
            + _page(
                results,
                refused,
                drilled,
                ended=not ends,
                terraform_last=arguments.terraform_last,
            )
            + rest.partition(END)[2]
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
