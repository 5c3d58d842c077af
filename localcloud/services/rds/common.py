"""What every part of the RDS service uses: errors, pages, filters, identifiers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError

_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*", re.IGNORECASE)
_SNAPSHOT_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*", re.IGNORECASE)


def invalid_value(message: str) -> AwsError:
    """InvalidParameterValue."""
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    """InvalidParameterCombination."""
    return AwsError("InvalidParameterCombination", message)


def refused(what: str) -> AwsError:
    """The answer to what the local cloud does not reproduce (HTTP 501)."""
    return NotReproducedError("RDS", what)


def identifier(value: str, member: str, longest: int = 63) -> str:
    """A DB instance, snapshot or group identifier, in lower case as RDS stores it."""
    if len(value) > longest or not _IDENTIFIER.fullmatch(value):
        raise invalid_value(
            f"The parameter {member} is not a valid identifier. Identifiers must begin with a "
            "letter; must contain only ASCII letters, digits, and hyphens; and must not end with "
            f"a hyphen or contain two consecutive hyphens; {longest} characters at most."
        )
    return value.lower()


def page(call: Call, member: str, items: Sequence[Any]) -> dict[str, Any]:
    """One page of a describe operation: `items` from Marker on, MaxRecords of them."""
    size = int(call.params.get("MaxRecords") or 100)
    if not 20 <= size <= 100:
        raise invalid_value(f"Invalid value {size} for MaxRecords. Must be between 20 and 100.")
    marker = call.params.get("Marker") or "0"
    if not marker.isdigit():
        raise invalid_value(f"Invalid marker: {marker}")
    start = int(marker)
    result: dict[str, Any] = {member: list(items[start : start + size])}
    if start + size < len(items):
        result["Marker"] = str(start + size)
    return result


def filtered(
    call: Call, items: Iterable[Any], filters: Mapping[str, Callable[[Any], Iterable[str]]]
) -> list[Any]:
    """Apply the Filters member; `filters` says what each filter's name compares with."""
    kept = list(items)
    for entry in call.params.get("Filters") or []:
        name, values = entry["Name"], {value.lower() for value in entry["Values"]}
        if name not in filters:
            raise invalid_value(f"Unrecognized filter name: {name}")
        kept = [item for item in kept if values & {value.lower() for value in filters[name](item)}]
    return kept


def tags_of(call: Call) -> list[dict[str, str]]:
    """The tags a create operation was given."""
    return [
        {"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in call.params.get("Tags") or []
    ]


def with_tags(
    present: Sequence[Mapping[str, str]], added: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """Tags after adding some; a key that is there gets the new value."""
    merged = {tag["Key"]: tag.get("Value", "") for tag in [*present, *added]}
    return [{"Key": key, "Value": value} for key, value in merged.items()]


def new_password() -> str:
    """A password as RDS makes one for a managed master user."""
    return secrets.token_urlsafe(30)


def check_password(value: str) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html"""
    if not 8 <= len(value) <= 128:
        raise invalid_value(
            "The parameter MasterUserPassword is not a valid password because it is shorter than "
            "8 characters or longer than 128 characters."
        )
    if any(character in "/'\"@ " or not 32 < ord(character) < 127 for character in value):
        raise invalid_value(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
            "characters besides '/', '@', '\"', ' ' may be used."
        )
