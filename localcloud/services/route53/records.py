"""Resource record sets as Route 53 keeps them. Pure.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# The zone that every alias to a distribution names:
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"


@dataclass(frozen=True)
class Alias:
    """An alias target; name: lower case, with a dot at the end."""

    zone: str
    name: str
    evaluate: bool


@dataclass(frozen=True)
class Record:
    """One resource record set.

    name: lower case, with a dot at the end; `*` as it is. ttl: None of an alias.
    """

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    set_identifier: str | None = None
    weight: int | None = None
    failover: str | None = None
    health_check_id: str | None = None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What tells it from the others of its zone."""
        return self.name, self.type, self.set_identifier

    @property
    def policy(self) -> str:
        """Its routing policy: simple, weighted or failover."""
        if self.failover is not None:
            return "failover"
        return "simple" if self.weight is None else "weighted"


def normal(name: str) -> str:
    """A domain name in lower case, with a dot at the end, `*` unescaped.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    return name.lower().replace("\\052", "*").rstrip(".") + "."


def parse(given: dict[str, Any]) -> Record:
    """A record from the API's ResourceRecordSet."""
    alias = given.get("AliasTarget")
    return Record(
        name=normal(given["Name"]),
        type=given["Type"],
        ttl=None if alias or given.get("TTL") is None else int(given["TTL"]),
        values=tuple(entry["Value"] for entry in given.get("ResourceRecords") or []),
        alias=Alias(
            alias["HostedZoneId"], normal(alias["DNSName"]), bool(alias["EvaluateTargetHealth"])
        )
        if alias
        else None,
        set_identifier=given.get("SetIdentifier"),
        weight=None if given.get("Weight") is None else int(given["Weight"]),
        failover=given.get("Failover"),
        health_check_id=given.get("HealthCheckId"),
    )


def shown(record: Record) -> dict[str, Any]:
    """A record as the API answers it, `*` escaped as Route 53 does."""
    answer: dict[str, Any] = {
        "Name": record.name.replace("*", "\\052"),
        "Type": record.type,
        "SetIdentifier": record.set_identifier,
        "Weight": record.weight,
        "Failover": record.failover,
        "HealthCheckId": record.health_check_id,
        "TTL": record.ttl,
        "ResourceRecords": [{"Value": value} for value in record.values] or None,
        "AliasTarget": {
            "HostedZoneId": record.alias.zone,
            "DNSName": record.alias.name,
            "EvaluateTargetHealth": record.alias.evaluate,
        }
        if record.alias
        else None,
    }
    return {name: value for name, value in answer.items() if value is not None}


def order(record: Record) -> tuple[list[str], str, str]:
    """Sort key of a listing: by the labels from the right, then type, then set identifier.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
    """
    labels = record.name.rstrip(".").split(".")
    return labels[::-1], record.type, record.set_identifier or ""


def named(records: Sequence[Record], name: str) -> list[Record]:
    """The records of a name; without any, those of the wildcard that covers it."""
    exact = [record for record in records if record.name == name]
    if exact:
        return exact
    labels = name.split(".")
    for place in range(1, len(labels) - 1):
        wildcard = ".".join(["*", *labels[place:]])
        found = [record for record in records if record.name == wildcard]
        if found:
            return found
    return []
