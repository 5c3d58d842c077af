"""The control interface from outside, for tests and tools; needs the standard library only."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

Document = dict[str, Any]


class DoubleClient:
    """Steers a double at an endpoint (`http://127.…`); methods raise ValueError for bad input."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Document:
        """One call of the control interface."""
        address = f"{self.endpoint}/_double/{path}"
        if query:
            address += f"?{urlencode(query)}"
        request = urllib.request.Request(  # noqa: S310 - this machine's own double
            address, data=None if body is None else json.dumps(body).encode(), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                document: Document = json.loads(answer.read())
                return document
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read()).get("problem", str(error))
            raise ValueError(problem) from None

    def reset(self) -> None:
        """Forget everything, as if just started."""
        self.call("POST", "reset")

    def seed(self, tenants: int | Sequence[Mapping[str, Any]], **options: Any) -> Document:
        """Add tenants: {app: {id, secret}, tenants: [{account_id, token, numbers}]}."""
        return self.call("POST", "seed", {"tenants": tenants, **options})

    def foreign_app(self, accounts: Iterable[str] = (), **options: Any) -> Document:
        """Add another app, subscribed to accounts: {id, secret}."""
        return self.call("POST", "apps", {"accounts": list(accounts), **options})

    def settings(self, **changes: Any) -> Document:
        """Change settings; returns all."""
        return self.call("PATCH", "settings", changes)

    def faults(self, *rules: Mapping[str, Any], seed: int = 1) -> Document:
        """Put a schedule of faults in force; none ends them."""
        return self.call("PUT", "faults", {"seed": seed, "rules": list(rules)})

    def fired(self) -> dict[str, int]:
        """How often each fault has met a call."""
        fired: dict[str, int] = self.call("GET", "faults")["fired"]
        return fired

    def wait_held(self, seconds: float = 30.0) -> list[str]:
        """Wait until a call is held; the operations held, empty when the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            held: list[str] = self.call("GET", "faults")["held"]
            if held:
                return held
            time.sleep(0.02)
        return []

    def release(self, *, drop: bool = False) -> int:
        """Let held calls go on, or drop them."""
        return int(self.call("POST", "faults/release", {"drop": drop})["released"])

    def state(self, account: str = "") -> Document:
        """The three levels, without tokens."""
        return self.call("GET", "state", query={"account": account} if account else None)

    def routes(self, app_id: str = "") -> dict[str, str | None]:
        """Effective route of each phone number."""
        return self.call("GET", "routes", query={"app_id": app_id} if app_id else None)

    def tokens(self, account: str, **changes: Any) -> int:
        """Change the tokens of an account: state, management, missing_code."""
        return int(self.call("POST", "tokens", {"account": account, **changes})["changed"])

    def out_of_band(
        self,
        url: str | None,
        *,
        account: str = "",
        number: str = "",
        accounts: Iterable[str] = (),
        fields: Iterable[str] | None = None,
    ) -> int:
        """Change routes as if by hand; with `fields` the app's own. How many numbers that touches."""
        chosen = [*accounts, *([account] if account else [])]
        changes: Document = {"url": url, "accounts": chosen, "numbers": [number] if number else []}
        if fields is not None:
            changes["fields"] = list(fields)
        return int(self.call("POST", "out-of-band", changes)["numbers"])

    def calls(self, since: int = 0, *, writes: bool = False) -> list[Document]:
        """Recorded calls after number `since`."""
        query = {"since": since, **({"writes": 1} if writes else {})}
        calls: list[Document] = self.call("GET", "calls", query=query)["calls"]
        return calls

    def clear_calls(self) -> None:
        """Forget the recorded calls."""
        self.call("DELETE", "calls")

    def watch(self, *urls: str, accounts: Iterable[str] | None = None, app_id: str = "") -> None:
        """Count gaps from now on; `urls` are valid."""
        chosen = None if accounts is None else list(accounts)
        self.call("PUT", "watch", {"urls": urls, "accounts": chosen, "app_id": app_id})

    def gaps(self) -> list[Document]:
        """Every time without a valid route since `watch`."""
        gaps: list[Document] = self.call("GET", "gaps")["gaps"]
        return gaps

    def deliver(self, **plan: Any) -> Document:
        """Begin to deliver messages."""
        return self.call("PUT", "delivery", plan)

    def delivered(self) -> Document:
        """Counts of the delivery."""
        return self.call("GET", "delivery")

    def stop_delivery(self, drain: float = 10.0) -> Document:
        """Stop to deliver, wait for what is under way; counts."""
        return self.call("DELETE", "delivery", query={"drain": drain})
