"""The faults of a running local cloud, set and read over HTTP."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localcloud.faults import PATH

# Whatever the runbooks start: our modules, those of amazon.aws and community.aws, Terraform.
# The tests' own clients carry none of these words.
CALLERS = "lyo-ops|[Aa]nsible|[Tt]erraform"


class Faults:
    """The schedule in force at one local cloud."""

    def __init__(self, endpoint: str) -> None:
        self._address = f"{endpoint}{PATH}"

    def _ask(self, method: str, query: str = "", body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self._address + query, data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            content: dict[str, Any] = json.loads(answer.read())
        return content

    def set(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Put a schedule in force."""
        document = {"seed": seed, "rules": [{"user_agent": CALLERS, **rule} for rule in rules]}
        self._ask("PUT", body=json.dumps(document).encode())

    def clear(self) -> None:
        """No more faults."""
        self._ask("DELETE")

    def report(self) -> dict[str, Any]:
        """What is in force, what has fired, what is held."""
        return self._ask("GET")

    def drop(self) -> None:
        """Cut the calls that are held."""
        self._ask("POST", "?drop=1")

    def wait_until_held(self, ended: Callable[[], bool], timeout: float = 600.0) -> bool:
        """Whether a call is held; False when the caller `ended` without one."""
        deadline = time.monotonic() + timeout
        while not self.report()["held"]:
            if ended():
                return bool(self.report()["held"])
            assert time.monotonic() < deadline, f"nothing was held in {timeout} s"
            time.sleep(0.05)
        return True

    @contextmanager
    def during(self, *rules: dict[str, Any], seed: int = 0) -> Iterator[None]:
        """In force for a block."""
        self.set(*rules, seed=seed)
        try:
            yield
        finally:
            self.clear()
