"""What Meta would keep: apps, accounts, phone numbers, tokens and who gets the webhooks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

# Reads lag at most so many wall seconds behind writes; older values are forgotten.
LONGEST_LAG = 120.0


class Cell(Generic[T]):
    """A value with its recent past, so that a read may show what was before a write."""

    def __init__(self, value: T) -> None:
        self._past: list[tuple[float, T]] = [(float("-inf"), value)]

    @property
    def now(self) -> T:
        """The value as it is."""
        return self._past[-1][1]

    def set(self, value: T) -> None:
        """Write."""
        moment = time.monotonic()
        self._past.append((moment, value))
        while len(self._past) > 1 and self._past[1][0] < moment - LONGEST_LAG:
            self._past.pop(0)

    def ago(self, seconds: float) -> T:
        """The value `seconds` of the wall clock ago."""
        moment = time.monotonic() - seconds
        return next(value for at, value in reversed(self._past) if at <= moment)


@dataclass(frozen=True)
class Subscription:
    """An app's own webhook: /{app-id}/subscriptions.

    :ivar fields: name and API version of each.
    """

    callback_url: str
    verify_token: str = field(repr=False)
    fields: Mapping[str, str]
    active: bool = True


@dataclass
class App:
    """A Meta app.

    :ivar proof_required: the setting "Require app secret" of the app's dashboard.
    """

    id: str
    name: str
    secret: str = field(repr=False)
    proof_required: bool = False
    subscription: Cell[Subscription | None] = field(default_factory=lambda: Cell(None))


@dataclass
class Account:
    """A WhatsApp Business Account (WABA).

    :ivar apps: app id → override callback URL ("" when there is none) of each subscribed app.
    """

    id: str
    name: str
    apps: Cell[Mapping[str, str]] = field(default_factory=lambda: Cell({}))
    numbers: list[str] = field(default_factory=list)


@dataclass
class PhoneNumber:
    """A business phone number.

    :ivar overrides: app id → override callback URL.
    """

    id: str
    account_id: str
    display: str
    overrides: Cell[Mapping[str, str]] = field(default_factory=lambda: Cell({}))


# What a token can be besides valid, with the subcode of error 190:
# https://developers.facebook.com/docs/graph-api/guides/error-handling (authentication subcodes)
TOKEN_STATES = {
    "valid": None,
    "expired": 463,
    "password_changed": 460,
    "invalidated": 467,
    "app_removed": 458,
}

MANAGEMENT = "whatsapp_business_management"
MESSAGING = "whatsapp_business_messaging"


@dataclass
class Token:
    """An access token of a system user or user, for one app and some accounts."""

    value: str = field(repr=False)
    app_id: str
    accounts: frozenset[str]
    permissions: frozenset[str] = frozenset({MANAGEMENT, MESSAGING})
    state: str = "valid"
    missing_code: int = 200


class World:
    """Everything there is; knows nothing of HTTP."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.accounts: dict[str, Account] = {}
        self.numbers: dict[str, PhoneNumber] = {}
        self.tokens: dict[str, Token] = {}

    def clear(self) -> None:
        """Nothing is there any more."""
        for everything in (self.apps, self.accounts, self.numbers, self.tokens):
            everything.clear()

    def numbers_of(self, account_id: str) -> Iterator[PhoneNumber]:
        """The phone numbers of an account."""
        for number_id in self.accounts[account_id].numbers:
            yield self.numbers[number_id]

    def route(self, number: PhoneNumber, app_id: str) -> str | None:
        """Where messages to `number` go for an app, None for nowhere.

        Phone number override, else account override, else the app's URL; only for an app that is
        subscribed to the account and to the field `messages`.
        https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
        """
        subscription = self.apps[app_id].subscription.now
        if subscription is None or not subscription.active:
            return None
        if "messages" not in subscription.fields:
            return None
        override = self.accounts[number.account_id].apps.now.get(app_id)
        if override is None:
            return None
        return number.overrides.now.get(app_id) or override or subscription.callback_url
