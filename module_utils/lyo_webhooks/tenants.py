"""The tenants: read from YAML, JSON or CSV, with every problem named by line and tenant."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Where an account's messages are sent by: its own override, each number's, or the app's URL alone.
APP, ACCOUNT, NUMBER = "app", "account", "number"
LEVELS = (APP, ACCOUNT, NUMBER)
REQUIRED = ("id", "waba_id", "phone_number_id")
KEYS = (*REQUIRED, "token", "level", "url")
_ALIASES = {"phone_number_ids": "phone_number_id"}
_DIGITS = re.compile(r"[0-9]{5,20}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_URL = 200


class TenantsError(Exception):
    """The list cannot be used; the message holds every problem, a line each."""


@dataclass(frozen=True)
class TokenReference:
    """Where a token is: a secret's name or ARN, and the key in its JSON (none: the whole secret)."""

    secret: str
    key: str = ""


@dataclass(frozen=True)
class Tenant:
    """One restaurant.

    :ivar waba_id: its WhatsApp Business Account.
    :ivar numbers: ids of its phone numbers at Meta, not the numbers themselves.
    :ivar token: where its access token is, None for the shared one.
    :ivar level: level of its own, empty for the environment's.
    :ivar url: callback URL of its own, empty for the environment's.
    """

    id: str
    waba_id: str
    numbers: tuple[str, ...]
    token: TokenReference | None = None
    level: str = ""
    url: str = ""


def token_reference(text: str) -> TokenReference:
    """Return ``secret#key`` or ``secret`` as a reference."""
    secret, _, key = text.partition("#")
    return TokenReference(secret, key)


def read(text: str, form: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows of a list of tenants, each with its line.

    :param form: ``yaml`` (JSON is read as YAML), ``csv`` or ``jsonl``, one JSON object a line.
    :raises TenantsError: it cannot be read as such.
    """
    if form == "csv":
        return _read_csv(text)
    if form == "jsonl":
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                found += [(number, row) for _, row in _read_yaml(f"[{line}]", number)]
        return found
    return _read_yaml(text)


def _read_yaml(text: str, line: int = 0) -> list[tuple[int, dict[str, Any]]]:
    # The line of an entry is known to the nodes only, not to what yaml.safe_load gives.
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            content = loader.construct_document(node) if node is not None else []
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        place = f"line {line}: " if line else ""
        raise TenantsError(f"{place}not YAML: {' '.join(str(error).split())}") from None
    entries = getattr(node, "value", [])
    if isinstance(content, Mapping) and set(content) == {"tenants"}:
        entries, content = entries[0][1].value, content["tenants"]
    if not isinstance(content, list):
        raise TenantsError("not a list of tenants")
    rows = []
    for entry, row in zip(entries, content, strict=True):
        number = line or entry.start_mark.line + 1
        rows.append((number, row if isinstance(row, dict) else {"": row}))
    return rows


def _read_csv(text: str) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), restkey="", skipinitialspace=True)
    rows = []
    for row in reader:
        filled = {key: value for key, value in row.items() if value not in ("", None)}
        rows.append((reader.line_num, filled))
    return rows


@dataclass(frozen=True)
class Problem:
    """What is wrong with an entry."""

    line: int
    tenant: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}, tenant {self.tenant}: {self.text}"


def check(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> tuple[list[Tenant], list[Problem]]:
    """Return the tenants of the rows that are right, and everything that is wrong with the others.

    Of two entries with the same account or number neither is right: whose it is, only a person knows.
    """
    problems: list[tuple[int, Problem]] = []
    owners: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    tenants: list[tuple[int, Tenant]] = []
    # By position: a list may well be on one line.
    for index, (line, row) in enumerate(rows):
        found = [] if set(row) != {""} else ["not a mapping of keys"]
        tenant = None if found else _tenant(row, found)
        name = str(row.get("id") or "?")
        problems += [(index, Problem(line, name, text)) for text in found]
        if tenant is not None:
            tenants.append((index, tenant))
            for identity in _identities(tenant):
                owners.setdefault(identity, []).append((index, line, tenant.id))
    for (kind, value), places in owners.items():
        for index, line, name in places if len(places) > 1 else ():
            others = " and ".join(f"{o}'s (line {at})" for i, at, o in places if i != index)
            problems.append((index, Problem(line, name, f"{kind} {value} is also {others}")))
    wrong = {index for index, _ in problems}
    good = [tenant for index, tenant in tenants if index not in wrong]
    return good, [problem for _, problem in sorted(problems, key=lambda found: found[0])]


def validate(rows: Sequence[tuple[int, Mapping[str, Any]]], place: str) -> list[Tenant]:
    """Return the tenants of rows, all of which must be right.

    :param place: where they come from, for the message.
    :raises TenantsError: with everything that is wrong, each with line and tenant.
    """
    tenants, problems = check(rows)
    lines = [str(problem) for problem in problems] or ([] if rows else ["there is no tenant in it"])
    if lines:
        raise TenantsError("\n  ".join([f"{place} cannot be used:", *lines]))
    return tenants


def _identities(tenant: Tenant) -> list[tuple[str, str]]:
    return [
        ("id", tenant.id),
        ("waba_id", tenant.waba_id),
        *(("phone_number_id", number) for number in tenant.numbers),
    ]


def _tenant(row: Mapping[str, Any], found: list[str]) -> Tenant | None:
    """Return a row's tenant, or None; what is wrong is added to ``found``."""
    row = {_ALIASES.get(str(key), str(key)): value for key, value in row.items()}
    unknown = sorted(set(row) - set(KEYS))
    if unknown:
        found.append(f"unknown {', '.join(unknown)} (known: {', '.join(KEYS)})")
    missing = [key for key in REQUIRED if row.get(key) in (None, "", [])]
    if missing:
        found.append(f"{', '.join(missing)} missing")
        return None
    identity = str(row["id"])
    if not _NAME.fullmatch(identity):
        found.append(f"id {identity!r} must be letters, digits, '.', '_' or '-', 64 at most")
    waba = str(row["waba_id"])
    numbers = _listed(row["phone_number_id"])
    for key, value in [("waba_id", waba), *(("phone_number_id", n) for n in numbers)]:
        if not _DIGITS.fullmatch(value):
            found.append(f"{key} {value!r} is not an id of Meta's (5 to 20 digits)")
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        found.append(f"phone_number_id {', '.join(twice)} is there twice")
    level = str(row.get("level") or "")
    if level and level not in LEVELS:
        found.append(f"level {level!r} is none of {', '.join(LEVELS)}")
    url = str(row.get("url") or "")
    if url:
        found += url_problems(url)
    token = row.get("token")
    if "token" in row and (not isinstance(token, str) or not token.partition("#")[0]):
        found.append("token must name a secret, as lyo-production/whatsapp-tokens#key")
        token = None
    if isinstance(token, str) and looks_like_token(token):
        found.append(
            "token must name a secret, not be the token itself: revoke it, it was written down"
        )
        token = None
    reference = token_reference(token) if isinstance(token, str) else None
    return Tenant(identity, waba, tuple(dict.fromkeys(numbers)), reference, level, url)


def _listed(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    # A cell of CSV may hold several.
    return [item for item in re.split(r"[\s;]+", str(value)) if item]


def looks_like_token(text: str) -> bool:
    """Whether a text looks like an access token of Meta's, which all begin so."""
    return text.startswith("EAA") and len(text) > 40


def url_problems(url: str) -> list[str]:
    """Return what is wrong with a callback URL; Meta takes HTTPS only, 200 characters at most.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override/
    """
    problems = []
    if not re.fullmatch(r"https://[^/?#\s@]+(/[^\s#]*)?", url):
        problems.append(f"url {url!r} is not an https address")
    if len(url) > MAX_URL:
        problems.append(f"url has {len(url)} characters, Meta takes {MAX_URL}")
    return problems
