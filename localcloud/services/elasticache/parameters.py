"""Cache parameters: Valkey's own settings, as far as ElastiCache lets one change them.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.services.elasticache.state import ParameterGroup, invalid_value

_POLICIES = (
    "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,"
    "noeviction"
)
# name: (data type, allowed values, takes effect at once)
_MODIFIABLE: Mapping[str, tuple[str, str, bool]] = {
    "acllog-max-len": ("integer", "1-10000", True),
    "activedefrag": ("string", "yes,no", True),
    "activerehashing": ("string", "yes,no", False),
    "active-expire-effort": ("integer", "1-10", True),
    "client-query-buffer-limit": ("integer", "1048576-1073741824", True),
    "close-on-replica-write": ("string", "yes,no", True),
    "databases": ("integer", "1-1200000", False),
    "hash-max-listpack-entries": ("integer", "0-", True),
    "hash-max-listpack-value": ("integer", "0-", True),
    "hll-sparse-max-bytes": ("integer", "1-16000", True),
    "latency-tracking": ("string", "yes,no", True),
    "lazyfree-lazy-eviction": ("string", "yes,no", False),
    "lazyfree-lazy-expire": ("string", "yes,no", False),
    "lazyfree-lazy-server-del": ("string", "yes,no", False),
    "lazyfree-lazy-user-del": ("string", "yes,no", True),
    "lazyfree-lazy-user-flush": ("string", "yes,no", True),
    "lfu-decay-time": ("integer", "0-", True),
    "lfu-log-factor": ("integer", "1-", True),
    "list-compress-depth": ("integer", "0-", True),
    "list-max-listpack-size": ("integer", "-", False),
    "maxmemory-policy": ("string", _POLICIES, True),
    "maxmemory-samples": ("integer", "1-", True),
    "notify-keyspace-events": ("string", "", True),
    "proto-max-bulk-len": ("integer", "1048576-536870912", True),
    "set-max-intset-entries": ("integer", "0-", True),
    "set-max-listpack-entries": ("integer", "0-", True),
    "set-max-listpack-value": ("integer", "0-", True),
    "slowlog-log-slower-than": ("integer", "-", True),
    "slowlog-max-len": ("integer", "0-", True),
    "stream-node-max-bytes": ("integer", "0-", True),
    "stream-node-max-entries": ("integer", "0-", True),
    "tcp-keepalive": ("integer", "0-", True),
    "timeout": ("integer", "0,20-", True),
    "tracking-table-max-keys": ("integer", "1-100000000", True),
    "zset-max-listpack-entries": ("integer", "0-", True),
    "zset-max-listpack-value": ("integer", "0-", True),
}
# ElastiCache's own defaults where they differ from Valkey's.
_DEFAULTS = {"maxmemory-policy": "volatile-lru", "slowlog-log-slower-than": "10000"}
_KEYSPACE = re.compile(r"[KEg$lshzxetdmnA]*")


def described(settings: Mapping[str, str], group: ParameterGroup) -> list[dict[str, Any]]:
    """Every parameter of a group. settings: all of the server's, with their defaults."""
    shown = []
    for name in sorted(settings.keys() & _MODIFIABLE.keys()):
        kind, allowed, at_once = _MODIFIABLE[name]
        shown.append(
            {
                "ParameterName": name,
                "ParameterValue": group.values.get(name, _DEFAULTS.get(name, settings[name])),
                "Source": "user" if name in group.values else "system",
                "DataType": kind,
                "AllowedValues": allowed,
                "IsModifiable": True,
                "MinimumEngineVersion": "2.8.6",
                "ChangeType": "immediate" if at_once else "requires-reboot",
            }
        )
    return shown


def takes_effect_at_once(name: str) -> bool:
    """Whether a running server takes the parameter over."""
    return _MODIFIABLE[name][2]


def default(settings: Mapping[str, str], name: str) -> str:
    """The value without a group's own."""
    return _DEFAULTS.get(name, settings[name])


def check(settings: Mapping[str, str], name: str, value: str) -> None:
    """Raise the AwsError with which ModifyCacheParameterGroup answers an impossible change."""
    if name not in _MODIFIABLE or name not in settings:
        raise invalid_value(f"The parameter {name} does not exist or cannot be modified.")
    kind, allowed, _ = _MODIFIABLE[name]
    wrong = invalid_value(
        f"The value {value!r} of the parameter {name} is not valid; allowed: {allowed or kind}."
    )
    if name == "notify-keyspace-events":
        if not _KEYSPACE.fullmatch(value):
            raise wrong
    elif kind == "string":
        if value not in allowed.split(","):
            raise wrong
    elif not re.fullmatch(r"-?\d+", value) or not _within(int(value), allowed):
        raise wrong


def _within(number: int, allowed: str) -> bool:
    """Whether a number is in a list of numbers and ranges such as `0,20-`."""
    for part in allowed.split(","):
        low, dash, high = part.partition("-")
        if not dash and number == int(low):
            return True
        if dash and (not low or number >= int(low)) and (not high or number <= int(high)):
            return True
    return False
