"""What Route 53 refuses in a batch of changes, and what a batch makes of a zone. Pure.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localcloud.api import AwsError, NotReproducedError
from localcloud.services.route53.records import CLOUDFRONT_ZONE, Record, parse

_NOT_REPRODUCED = {
    "Region": "latency records",
    "GeoLocation": "geolocation records",
    "GeoProximityLocation": "geoproximity records",
    "MultiValueAnswer": "multivalue answer records",
    "CidrRoutingConfig": "IP-based records",
    "TrafficPolicyInstanceId": "traffic policies",
}
_ALIAS_TYPES = frozenset({"A", "AAAA", "CNAME", "CAA", "MX", "TXT"})


def invalid(message: str) -> AwsError:
    """InvalidChangeBatch, in the brackets that Route 53 puts around its list of messages."""
    return AwsError("InvalidChangeBatch", f"[{message}]")


def check_reproduced(given: Mapping[str, Any]) -> None:
    """Refuse the routing policies that are not answered here. Raises NotReproducedError."""
    for member, what in _NOT_REPRODUCED.items():
        if given.get(member):
            raise NotReproducedError("route53", what)


def changed(
    records: Sequence[Record],
    changes: Sequence[Mapping[str, Any]],
    zone: str,
    is_target: Callable[[Record], bool],
) -> list[Record]:
    """The zone's records after all the changes; none is made when one is refused.

    zone: its name. is_target: whether an alias record's target exists. Raises AwsError
    InvalidChangeBatch or InvalidInput.
    """
    result = {record.key: record for record in records}
    for change in changes:
        check_reproduced(change["ResourceRecordSet"])
        record = parse(change["ResourceRecordSet"])
        if change["Action"] == "DELETE":
            _delete(result, record)
            continue
        _check(record, zone, is_target)
        if change["Action"] == "CREATE" and record.key in result:
            raise invalid(
                f"Tried to create resource record set {_text(record)} but it already exists"
            )
        result[record.key] = record
    after = list(result.values())
    for change in changes:
        if change["Action"] != "DELETE":
            _check_company(parse(change["ResourceRecordSet"]), after, zone)
    return after


def _text(record: Record) -> str:
    identifier = f", set-identifier='{record.set_identifier}'" if record.set_identifier else ""
    return f"[name='{record.name}', type='{record.type}'{identifier}]"


def _delete(result: dict[tuple[str, str, str | None], Record], record: Record) -> None:
    known = result.get(record.key)
    if known is None:
        raise invalid(f"Tried to delete resource record set {_text(record)} but it was not found")
    if known != record:
        raise invalid(
            f"Tried to delete resource record set {_text(record)} but the values provided do not "
            "match the current values"
        )
    if record.type in ("NS", "SOA") and record.set_identifier is None and _is_apex(result, record):
        raise invalid(
            f"A HostedZone must contain exactly one SOA record and at least one NS record: "
            f"{_text(record)} cannot be deleted"
        )
    del result[record.key]


def _is_apex(result: Mapping[tuple[str, str, str | None], Record], record: Record) -> bool:
    return (record.name, "SOA", None) in result


def _check(record: Record, zone: str, is_target: Callable[[Record], bool]) -> None:
    if record.name != zone and not record.name.endswith(f".{zone}"):
        raise invalid(f"RRSet with DNS name {record.name} is not permitted in zone {zone}")
    if record.alias is None and (record.ttl is None or not record.values):
        raise AwsError(
            "InvalidInput",
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and "
            "ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with "
            f"[Name={record.name}, Type={record.type}, SetIdentifier={record.set_identifier}]",
        )
    if record.policy != "simple" and not record.set_identifier:
        raise AwsError("InvalidInput", "Invalid request: Missing field 'SetIdentifier' in Change")
    if record.policy == "simple" and record.set_identifier:
        raise AwsError(
            "InvalidInput",
            "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, "
            "MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found none",
        )
    if record.type == "CNAME" and record.name == zone:
        raise invalid(
            f"RRSet of type CNAME with DNS name {zone} is not permitted at apex in zone {zone}"
        )
    if record.alias is not None:
        _check_alias(record, is_target)


def _check_alias(record: Record, is_target: Callable[[Record], bool]) -> None:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html"""
    assert record.alias is not None
    alias = record.alias
    if alias.zone == CLOUDFRONT_ZONE and alias.evaluate:
        raise invalid(
            "EvaluateTargetHealth cannot be set to true when the alias target is a CloudFront "
            f"distribution: {_text(record)}"
        )
    if record.type not in _ALIAS_TYPES or not is_target(record):
        raise invalid(
            f"Tried to create an alias that targets {alias.name}, type {record.type} in zone "
            f"{alias.zone}, but that target was not found"
        )


def _check_company(record: Record, after: Sequence[Record], zone: str) -> None:
    """Refuse a record that cannot stand beside the others of its name."""
    others = [other for other in after if other.name == record.name and other.key != record.key]
    if any((other.type == "CNAME") != (record.type == "CNAME") for other in others):
        raise invalid(
            f"RRSet of type {record.type} with DNS name {record.name} is not permitted as it "
            f"conflicts with other records with the same DNS name in zone {zone}"
        )
    group = [other for other in others if other.type == record.type]
    if any(other.policy != record.policy for other in group):
        raise invalid(
            f"RRSet with DNS name {record.name}, type {record.type}, SetIdentifier "
            f"{record.set_identifier} cannot be created as records of another routing policy exist "
            "with the same name and type"
        )
    if record.failover and any(other.failover == record.failover for other in group):
        raise invalid(
            f"Failover {record.failover} is taken by another record with the same name and type: "
            f"{_text(record)}"
        )
    distributions = [
        other
        for other in (record, *group)
        if other.failover and other.alias and other.alias.zone == CLOUDFRONT_ZONE
    ]
    if len(distributions) > 1:
        raise invalid(
            "A CloudFront distribution cannot be both the primary and the secondary of failover "
            f"records: {_text(record)}"
        )
