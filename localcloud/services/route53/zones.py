"""Records of hosted zones, and the answers to queries. The zones themselves are moto's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from moto.route53.models import FakeZone, RecordSet

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud
from localcloud.services.route53 import answers
from localcloud.services.route53.changes import changed
from localcloud.services.route53.health_checks import HealthChecks
from localcloud.services.route53.records import Alias, Record, named, normal, order, shown

_LONGEST_CHAIN = 8


class Zones:
    """The operations on records; `cloud.parts["route53"]`.

    Record sets stay in moto's zones, where ACM looks for the records that validate names.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.health_checks = HealthChecks(cloud, self.resolve)

    def attach(self) -> None:
        """Answer the operations."""
        self.health_checks.attach()
        for operation, handler in {
            "ChangeResourceRecordSets": self.change,
            "ListResourceRecordSets": self.list_records,
            "TestDNSAnswer": self.test_answer,
        }.items():
            self._cloud.api.replace("route53", operation, handler)

    def _zone(self, call: Call) -> FakeZone:
        zones: dict[str, FakeZone] = self._cloud.backend("route53").zones
        identifier = call.params["HostedZoneId"].rpartition("/")[2]
        if identifier not in zones:
            raise AwsError(
                "NoSuchHostedZone", f"No hosted zone found with ID: {identifier}", status=404
            )
        return zones[identifier]

    def change(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html"""
        zone = self._zone(call)
        batch = call.params["ChangeBatch"]
        for change in batch["Changes"]:
            check = change["ResourceRecordSet"].get("HealthCheckId")
            if check and change["Action"] != "DELETE" and not self.health_checks.exists(check):
                raise AwsError("NoSuchHealthCheck", f"HealthCheck not found: {check}", status=404)
        after = changed(
            _records(zone),
            batch["Changes"],
            normal(zone.name),
            lambda record: self._is_target(record, zone, batch["Changes"]),
        )
        zone.rrsets = [_stored(record) for record in after]
        return {
            "ChangeInfo": {
                "Id": "/change/C2682N5HXP0BZ4",
                "Status": "INSYNC",
                "SubmittedAt": self._cloud.clock.now(),
                "Comment": batch.get("Comment"),
            }
        }

    def _is_target(self, record: Record, zone: FakeZone, changes: Any) -> bool:
        """Whether an alias aims at a load balancer, a distribution or a record of its own zone."""
        assert record.alias is not None
        if record.alias.zone == zone.resource_id:
            names = {known.name for known in _records(zone)}
            names |= {normal(change["ResourceRecordSet"]["Name"]) for change in changes}
            return record.alias.name in names
        return record.type in ("A", "AAAA") and bool(self._addresses(record.alias))

    def list_records(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html"""
        params = call.params
        if params.get("StartRecordType") and not params.get("StartRecordName"):
            raise AwsError("InvalidInput", "StartRecordType needs a StartRecordName.")
        found = sorted(_records(self._zone(call)), key=order)
        if params.get("StartRecordName"):
            start = order(
                Record(
                    normal(params["StartRecordName"]),
                    params.get("StartRecordType") or "",
                    set_identifier=params.get("StartRecordIdentifier"),
                )
            )
            found = [record for record in found if order(record) >= start]
        most = int(params.get("MaxItems") or 300)
        answer: dict[str, Any] = {
            "ResourceRecordSets": [shown(record) for record in found[:most]],
            "IsTruncated": len(found) > most,
            "MaxItems": str(most),
        }
        if len(found) > most:
            following = found[most]
            answer["NextRecordName"] = shown(following)["Name"]
            answer["NextRecordType"] = following.type
            if following.set_identifier:
                answer["NextRecordIdentifier"] = following.set_identifier
        return answer

    # Answers

    def test_answer(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_TestDNSAnswer.html"""
        zone = self._zone(call)
        name, kind = normal(call.params["RecordName"]), call.params["RecordType"]
        records = _records(zone)
        data = self._answer(records, zone, name, kind)
        return {
            "Nameserver": zone.delegation_set.name_servers[0] if zone.delegation_set else "",
            "RecordName": name,
            "RecordType": kind,
            "RecordData": data,
            "ResponseCode": "NOERROR" if named(records, name) else "NXDOMAIN",
            "Protocol": "UDP",
        }

    def resolve(self, name: str) -> list[str]:
        """The IPv4 addresses of a name of this cloud, or of an address in loopback notation."""
        try:
            return [name] if ipaddress.ip_address(name).is_loopback else []
        except ValueError:
            pass  # a name
        wanted = normal(name)
        with self._cloud.lock:
            zones: list[FakeZone] = list(self._cloud.backend("route53").zones.values())
            # The zone that is closest to the name is the one that answers.
            for zone in sorted(zones, key=lambda zone: -len(zone.name)):
                apex = normal(zone.name)
                if wanted == apex or wanted.endswith(f".{apex}"):
                    found = self._answer(_records(zone), zone, wanted, "A")
                    return [data for data in found if _is_loopback(data)]
        return []

    def _answer(
        self, records: list[Record], zone: FakeZone, name: str, kind: str, depth: int = 0
    ) -> list[str]:
        """What a query gets, aliases followed."""
        here = named(records, name)
        group = [record for record in here if record.type == kind]
        group = group or [record for record in here if record.type == "CNAME"]
        if not group or depth > _LONGEST_CHAIN:
            return []
        chosen = answers.choose(group, lambda record: self._healthy(record, records, zone, depth))
        if chosen.alias is None:
            return list(chosen.values)
        if chosen.alias.zone == zone.resource_id:
            return self._answer(records, zone, chosen.alias.name, kind, depth + 1)
        # Nothing here has an IPv6 address.
        return self._addresses(chosen.alias) if kind == "A" else []

    def _healthy(self, record: Record, records: list[Record], zone: FakeZone, depth: int) -> bool:
        if record.health_check_id and not self.health_checks.healthy(record.health_check_id):
            return False
        if record.alias is None or not record.alias.evaluate:
            return True
        if record.alias.zone == zone.resource_id:
            group = [r for r in named(records, record.alias.name) if r.type == record.type]
            return depth > _LONGEST_CHAIN or any(
                self._healthy(other, records, zone, depth + 1) for other in group
            )
        return self._load_balancer_healthy(record.alias)

    def _load_balancer_healthy(self, alias: Alias) -> bool:
        balancing = self._cloud.parts["elbv2"]
        for balancer in self._balancers(alias):
            return answers.load_balancer_healthy(
                [
                    [health.state for health in balancing.described_health(group.arn).values()]
                    for backend in balancing.backends()
                    for group in backend.target_groups.values()
                    if balancer.arn in group.load_balancer_arns
                ]
            )
        return False

    def _balancers(self, alias: Alias) -> Iterator[Any]:
        """The load balancer of an alias, by its DNS name."""
        name = alias.name.rstrip(".").removeprefix("dualstack.")
        for balancer in self._cloud.parts["elbv2"].balancers():
            if balancer.dns_name.lower() == name:
                yield balancer

    def _addresses(self, alias: Alias) -> list[str]:
        """The address of an alias's load balancer or distribution (here it is its name, too)."""
        name = alias.name.rstrip(".")
        if self._cloud.parts["cloudfront"].has_domain(name):
            return [name]
        return [str(balancer.dns_name) for balancer in self._balancers(alias)]


def _is_loopback(data: str) -> bool:
    try:
        return ipaddress.ip_address(data).is_loopback
    except ValueError:
        return False


def _records(zone: FakeZone) -> list[Record]:
    """A zone's records, those that moto made with it included."""
    found = []
    for stored in zone.rrsets:
        alias = stored.alias_target
        found.append(
            Record(
                normal(stored.name),
                str(stored.type),
                None if stored.ttl is None else int(stored.ttl),
                tuple(_value(value) for value in stored.records or ()),
                Alias(
                    alias["HostedZoneId"], normal(alias["DNSName"]), alias["EvaluateTargetHealth"]
                )
                if alias
                else None,
                stored.set_identifier,
                stored.weight,
                stored.failover,
                stored.health_check_id,
            )
        )
    return found


def _value(value: Any) -> str:
    """A record's value; moto keeps that of a new zone's SOA record in another shape."""
    return str(value["Value"] if isinstance(value, dict) else value)


def _stored(record: Record) -> RecordSet:
    answer = shown(record)
    members = {**answer, "Name": record.name, "ResourceRecords": list(record.values)}
    return RecordSet(members)  # type: ignore[abstract]
