"""Terraform's machine-readable output while it runs, turned into progress and errors.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

VERBS = {"create": "creating", "update": "changing", "delete": "destroying", "read": "reading"}

# How many resources a plan reads between two pieces of news.
REFRESH_STEP = 10


class Stream:
    """Reads the lines of one Terraform run, and knows how far it is.

    :ivar errors: diagnostics of severity error, one text each.
    :ivar total: resources that an apply will change; 0 for a plan.
    """

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.errors: list[str] = []
        self.lock: dict[str, str] = {}
        self._refreshed = 0
        self._done = 0
        self._running: dict[str, str] = {}

    def feed(self, line: str) -> tuple[str, int | None] | None:
        """Take one line; return text and percentage when there is news to show."""
        try:
            event = json.loads(line)
        except ValueError:
            # Errors before the output format is known come as plain text.
            if line.strip().startswith("Error:"):
                self.errors.append(line.strip())
            return None
        kind = event.get("type") if isinstance(event, Mapping) else None
        if kind == "diagnostic":
            self._diagnostic(event.get("diagnostic", {}))
            return None
        hook = event.get("hook", {}) if kind else {}
        address = hook.get("resource", {}).get("addr", "")
        if kind == "refresh_complete":
            self._refreshed += 1
            news = self._refreshed % REFRESH_STEP == 0
            return (f"{self._refreshed} resources read", None) if news else None
        if not self.total:
            return None  # a plan reads data sources, too
        if kind in ("apply_start", "apply_progress"):
            seconds = int(hook.get("elapsed_seconds") or 0)
            verb = VERBS.get(hook.get("action", ""), hook.get("action", ""))
            self._running[address] = f"{verb} {address}" + (f" {seconds} s" if seconds else "")
            return self._progress(self._running[address])
        if kind in ("apply_complete", "apply_errored"):
            self._running.pop(address, None)
            self._done += 1
            word = "done" if kind == "apply_complete" else "failed"
            return self._progress(f"{word} {address}")
        return None

    def _progress(self, text: str) -> tuple[str, int]:
        others = len(self._running) - (0 if text.startswith(("done", "failed")) else 1)
        more = f" (+{others} more)" if others > 0 else ""
        return f"{self._done}/{self.total}  {text}{more}", min(99, 100 * self._done // self.total)

    def _diagnostic(self, diagnostic: Mapping[str, Any]) -> None:
        if diagnostic.get("severity") != "error":
            return
        summary, detail = diagnostic.get("summary", ""), diagnostic.get("detail", "")
        if "state lock" in summary:
            self.lock = lock_info(detail)
        address = diagnostic.get("address")
        where = f"{address}: " if address else ""
        text = " ".join(f"{where}{summary}. {detail}".split())
        self.errors.append(text)


def lock_info(detail: str) -> dict[str, str]:
    """ID, Who, Operation and Created of the lock that a refused lock's message names."""
    found = re.findall(r"^\s*(ID|Who|Operation|Created):\s+(.+?)\s*$", detail, re.MULTILINE)
    return dict(found)


def explain_lock(lock: Mapping[str, str], unlock: str) -> str:
    """What to tell somebody whose run met a held state lock. `unlock`: the command, without ID."""
    who = lock.get("Who", "somebody")
    since = lock.get("Created", "an unknown time")
    return (
        f"the Terraform state is locked by {who} since {since}"
        f" ({lock.get('Operation', 'unknown operation')}). Nothing was changed. Wait for that run and"
        f" run this again. If that run is certainly dead, type: {unlock} {lock.get('ID', '<lock id>')}"
    )
