"""Conditions of listener rules as Envoy's route matches.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from localcloud.dataplane.envoy.model import Condition, Rule, UnsupportedError

# Overwritten with the peer's address before a route is chosen; never sent on to a target.
PEER_HEADER = "x-localcloud-peer"
PEER = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"


def wildcard(pattern: str) -> str:
    """Regular expression of a pattern in which `*` is any text and `?` any one character."""
    pieces = {"*": ".*", "?": "."}
    return "".join(pieces.get(character) or re.escape(character) for character in pattern)


def _any(expressions: Iterable[str]) -> str:
    return "(?:" + "|".join(expressions) + ")"


def _header(name: str, regex: str) -> dict[str, Any]:
    return {"name": name, "string_match": {"safe_regex": {"regex": regex}}}


def _octets(low: int, high: int) -> str:
    return _any(str(value) for value in range(low, high + 1))


def network_regex(cidr: str) -> str:
    """Regular expression of the IPv4 addresses in a network; an IPv6 network matches nothing."""
    network = ipaddress.ip_network(cidr, strict=False)
    if not isinstance(network, ipaddress.IPv4Network):
        return "never"
    pairs = zip(network.network_address.packed, network.broadcast_address.packed, strict=True)
    return r"\.".join(
        str(low) if low == high else r"\d+" if (low, high) == (0, 255) else _octets(low, high)
        for low, high in pairs
    )


def _query_regex(pairs: Iterable[tuple[str | None, str]]) -> str:
    """Of the whole path: some key=value pair of the query matches, without regard to case."""
    alternatives = (
        (r"[^&=]*=?" if key is None else _within(key) + "=") + _within(value)
        for key, value in pairs
    )
    return r"(?i)[^?]*\?(?:[^#]*&)?" + _any(alternatives) + r"(?:&.*)?"


def _within(pattern: str) -> str:
    """As `wildcard`, without leaving the query parameter."""
    return wildcard(pattern).replace(".*", "[^&]*")


def header_matches(condition: Condition) -> dict[str, Any]:
    """The header match of one condition other than a path pattern.

    Raises UnsupportedError for a condition Envoy is not told of.
    """
    values = _any(wildcard(value) for value in condition.values)
    if condition.field == "host-header":
        return _header(":authority", f"(?i){values}(?::[0-9]+)?")
    if condition.field == "http-header":
        return _header(condition.name.lower(), f"(?i){values}")
    if condition.field == "http-request-method":
        return _header(":method", _any(re.escape(value) for value in condition.values))
    if condition.field == "query-string":
        return _header(":path", _query_regex(condition.pairs))
    if condition.field == "source-ip":
        return _header(PEER_HEADER, _any(network_regex(value) for value in condition.values))
    raise UnsupportedError(f"the rule condition '{condition.field}'")


def route_match(rule: Rule) -> dict[str, Any]:
    """Envoy's match of a rule: one path expression, and a header match for each other condition."""
    paths = [entry for entry in rule.conditions if entry.field == "path-pattern"]
    headers = [header_matches(entry) for entry in rule.conditions if entry.field != "path-pattern"]
    if len(paths) > 1:
        raise UnsupportedError("a rule with several path-pattern conditions")
    match: dict[str, Any] = {"prefix": "/"}
    if paths:
        regex = _any(wildcard(value) for value in paths[0].values)
        match = {"safe_regex": {"regex": regex}}
    if headers:
        match["headers"] = headers
    return match
