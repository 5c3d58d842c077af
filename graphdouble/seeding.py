"""Fills a world with apps, accounts, phone numbers and tokens; the same seed gives the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphdouble.world import (
    MANAGEMENT,
    MESSAGING,
    TOKEN_STATES,
    Account,
    App,
    PhoneNumber,
    Token,
    World,
)


@dataclass(frozen=True)
class Tenant:
    """What a restaurant's owner would have given us."""

    account_id: str
    token: str = field(repr=False)
    numbers: tuple[str, ...]


def seed_app(
    world: World, seed: int, *, app_id: str = "", secret: str = "", proof_required: bool = True
) -> App:
    """Add an app; ids and secret are made up where they are not given."""
    chance = random.Random(f"{seed}:app:{len(world.apps)}")  # noqa: S311
    app = App(
        id=app_id or str(chance.randrange(10**14, 10**15)),
        name=f"Lyo {len(world.apps) + 1}",
        secret=secret or f"{chance.getrandbits(128):032x}",
        proof_required=proof_required,
    )
    if app.id in world.apps:
        raise ValueError(f"app {app.id} exists")
    world.apps[app.id] = app
    return app


def seed_tenants(world: World, app: App, count: int, seed: int, numbers: int = 1) -> list[Tenant]:
    """Add `count` accounts with `numbers` phone numbers and a system user's token each."""
    chance = random.Random(f"{seed}:tenants:{len(world.accounts)}")  # noqa: S311
    first = len(world.accounts)
    tenants = []
    for index in range(first, first + count):
        tenants.append(
            _add(
                world,
                app,
                account_id=str(10**14 + index * 7919 + chance.randrange(7919)),
                name=f"Ristorante {index + 1}",
                token=f"EAA{chance.getrandbits(512):0128x}",
                numbers=[
                    {
                        "id": str(2 * 10**14 + (index * numbers + k) * 104729),
                        "display": f"+39 06 {index:05d} {k:02d}",
                    }
                    for k in range(numbers)
                ],
            )
        )
    return tenants


def seed_given(world: World, app: App, entries: Iterable[Mapping[str, Any]]) -> list[Tenant]:
    """Add accounts as given: `account_id`, `token`, `numbers` ([{id, display}]), `name`.

    :raises ValueError: an id that exists, a key that is missing or unknown.
    """
    tenants = []
    for entry in entries:
        unknown = sorted(set(entry) - {"account_id", "token", "numbers", "name"})
        missing = sorted({"account_id", "token", "numbers"} - set(entry))
        if unknown or missing:
            raise ValueError(f"a tenant: unknown {unknown}, missing {missing}")
        if not str(entry["token"]) or "|" in str(entry["token"]):
            raise ValueError(f"account {entry['account_id']}: a token is not empty and has no |")
        tenants.append(
            _add(
                world,
                app,
                account_id=str(entry["account_id"]),
                name=str(entry.get("name", "Ristorante")),
                token=str(entry["token"]),
                numbers=entry["numbers"],
            )
        )
    return tenants


def _add(
    world: World,
    app: App,
    *,
    account_id: str,
    name: str,
    token: str,
    numbers: Iterable[Mapping[str, Any]],
) -> Tenant:
    ids = []
    for given in numbers:
        number_id = str(given["id"])
        if number_id in world.numbers:
            raise ValueError(f"phone number {number_id} exists")
        ids.append(number_id)
        world.numbers[number_id] = PhoneNumber(
            number_id, account_id, str(given.get("display", number_id))
        )
    if account_id in world.accounts:
        raise ValueError(f"account {account_id} exists")
    world.accounts[account_id] = Account(account_id, name, numbers=ids)
    known = world.tokens.get(token)
    accounts = (known.accounts if known else frozenset()) | {account_id}
    world.tokens[token] = Token(token, app.id, accounts)
    return Tenant(account_id, token, tuple(ids))


def change_tokens(
    world: World,
    account_id: str,
    *,
    state: str | None = None,
    management: bool | None = None,
    missing_code: int | None = None,
) -> int:
    """Change the tokens that see an account; returns how many there are.

    :param state: one of TOKEN_STATES. :param management: has the permission
        whatsapp_business_management. :param missing_code: the error's code without it: 10 or 200 to 299.
    :raises ValueError: a state or code that is none.
    """
    if state is not None and state not in TOKEN_STATES:
        raise ValueError(f"state {state!r} is none of {', '.join(TOKEN_STATES)}")
    if missing_code is not None and missing_code != 10 and not 200 <= missing_code <= 299:
        raise ValueError("missing_code must be 10 or 200 to 299")
    tokens = [token for token in world.tokens.values() if account_id in token.accounts]
    for token in tokens:
        if state is not None:
            token.state = state
        if management is not None:
            token.permissions = frozenset({MESSAGING, *([MANAGEMENT] if management else [])})
        if missing_code is not None:
            token.missing_code = missing_code
    return len(tokens)
