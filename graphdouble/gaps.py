"""The record of every instant in which a phone number had no valid route."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from graphdouble.world import PhoneNumber, World


@dataclass
class Gap:
    """A time in which messages of a number went nowhere, or to a URL that does not count.

    :ivar route: the invalid URL, None for none.
    :ivar since: seconds since 1970. :ivar until: None while it lasts.
    """

    phone_number_id: str
    account_id: str
    route: str | None
    since: float
    until: float | None = None

    def report(self) -> dict[str, Any]:
        """As JSON, with ISO times."""
        document = asdict(self)
        for name in ("since", "until"):
            if document[name] is not None:
                document[name] = datetime.fromtimestamp(document[name], UTC).isoformat()
        return document


class GapWatch:
    """Watches the routes of one app's numbers; told of every change, it looks again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._app_id: str | None = None
        self._valid: frozenset[str] = frozenset()
        self._accounts: frozenset[str] | None = None
        self._open: dict[str, Gap] = {}
        self._gaps: list[Gap] = []

    def start(
        self, app_id: str, urls: Iterable[str], accounts: Iterable[str] | None = None
    ) -> None:
        """Begin anew; `urls` are those that count as valid from now on.

        :param accounts: only these, None for all.
        """
        self._app_id, self._valid = app_id, frozenset(urls)
        self._accounts = None if accounts is None else frozenset(accounts)
        self._open, self._gaps = {}, []
        self.look(self._world.numbers.values())

    def stop(self) -> None:
        """Watch no longer; what was found stays."""
        self._app_id = None

    def clear(self) -> None:
        """Watch no longer, forget what was found."""
        self.stop()
        self._open, self._gaps = {}, []

    def look(self, numbers: Iterable[PhoneNumber]) -> None:
        """Look at the routes of numbers whose settings have changed."""
        if self._app_id is None:
            return
        moment = time.time()
        for number in numbers:
            if self._accounts is not None and number.account_id not in self._accounts:
                continue
            route = self._world.route(number, self._app_id)
            gap = self._open.get(number.id)
            if gap is not None and gap.route == route:
                continue
            if gap is not None:
                gap.until = moment
                del self._open[number.id]
            if route not in self._valid:
                gap = Gap(number.id, number.account_id, route, moment)
                self._open[number.id] = gap
                self._gaps.append(gap)

    def report(self) -> list[dict[str, Any]]:
        """Every gap since the start, oldest first."""
        return [gap.report() for gap in self._gaps]
