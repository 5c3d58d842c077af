"""What is wrong with each phase of an infrastructure, decided from what AWS says."""

from __future__ import annotations

import copy
import importlib.util
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_phases import (
    application,
    database,
    dns_and_tls,
    foundation,
    security_and_monitoring,
)
from ansible.module_utils.lyo_phases.run import PHASES, validate
from ansible.module_utils.lyo_phases.target import Target

from .fakes import failure, outputs_answer

LIBRARY = Path(__file__).resolve().parents[3] / "library"
Change = Callable[[dict[str, Any]], object]


def expected() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("documented", LIBRARY / "phase_validation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.EXPECTED)


def names(
    phase: Any, facts: dict[str, Any], change: Change | None = None, **wanted: Any
) -> list[str]:
    facts = copy.deepcopy(facts)
    if change:
        change(facts)
    return [f.name for f in phase.problems(facts, {**expected(), **wanted})]


SUBNETS = [
    {
        "SubnetId": f"{tier}-{zone}",
        "AvailabilityZone": zone,
        "Tags": [{"Key": "Tier", "Value": tier}],
    }
    for tier in ("public", "private")
    for zone in ("eu-south-1a", "eu-south-1b")
]


def table(tier: str, gateway: str) -> dict[str, Any]:
    return {
        "Associations": [
            {"SubnetId": f"{tier}-eu-south-1a"},
            {"SubnetId": f"{tier}-eu-south-1b"},
        ],
        "Routes": [
            {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"},
            {"DestinationCidrBlock": "0.0.0.0/0", gateway: "x-1", "State": "active"},
        ],
    }


NETWORK: dict[str, Any] = {
    "vpcs": [{"VpcId": "vpc-1", "enableDnsSupport": True, "enableDnsHostnames": True}],
    "subnets": SUBNETS,
    "tables": [table("public", "GatewayId"), table("private", "NatGatewayId")],
    "flow_logs": [{"ResourceId": "vpc-1", "FlowLogStatus": "ACTIVE"}],
}


def test_a_whole_network_is_right() -> None:
    assert names(foundation, NETWORK) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: f["vpcs"].clear(), "number of VPCs"),
        (lambda f: f["vpcs"][0].update(enableDnsSupport=False), "vpc-1 enableDnsSupport"),
        (lambda f: f["flow_logs"].clear(), "vpc-1 flow logs"),
        (lambda f: f["flow_logs"][0].update(FlowLogStatus="INACTIVE"), "vpc-1 flow logs"),
        (lambda f: f["subnets"].pop(0), "zones of the public subnets"),
        (lambda f: f["subnets"].pop(), "zones of the private subnets"),
        (lambda f: f["tables"].pop(), "private subnet private-eu-south-1a default route"),
        (
            lambda f: f["tables"][0]["Routes"][1].update(State="blackhole"),
            "public subnet public-eu-south-1a default route",
        ),
        (
            lambda f: f["tables"][1]["Routes"][1].pop("NatGatewayId"),
            "private subnet private-eu-south-1b default route",
        ),
    ],
)
def test_what_is_wrong_with_a_network(change: Change, name: str) -> None:
    assert name in names(foundation, NETWORK, change)


def test_flow_logs_that_nobody_wants_may_be_missing() -> None:
    assert names(foundation, NETWORK, lambda f: f["flow_logs"].clear(), flow_logs=False) == []


STORES: dict[str, Any] = {
    "instances": [
        {
            "DBInstanceIdentifier": "lyo",
            "DBInstanceStatus": "available",
            "StorageEncrypted": True,
            "PubliclyAccessible": False,
            "MultiAZ": True,
            "DeletionProtection": True,
            "BackupRetentionPeriod": 7,
            "Parameters": {"rds.force_ssl": "1"},
            "DBSubnetGroup": {"Subnets": [{"SubnetIdentifier": "private-eu-south-1a"}]},
        }
    ],
    "caches": [
        {
            "ReplicationGroupId": "lyo",
            "Status": "available",
            "AuthTokenEnabled": True,
            "AtRestEncryptionEnabled": True,
            "TransitEncryptionEnabled": True,
            "AutomaticFailover": "enabled",
            "SnapshotRetentionLimit": 1,
        }
    ],
    "private": ["private-eu-south-1a"],
    "vaults": [{"BackupVaultName": "lyo"}],
    "selections": [{"Resources": ["arn:db"]}],
}


def test_whole_stores_are_right() -> None:
    assert names(database, STORES) == []


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("DBInstanceStatus", "modifying"),
        ("StorageEncrypted", False),
        ("PubliclyAccessible", True),
        ("MultiAZ", False),
        ("DeletionProtection", False),
        ("BackupRetentionPeriod", 6),
    ],
)
def test_what_is_wrong_with_a_database(attribute: str, value: Any) -> None:
    found = names(database, STORES, lambda f: f["instances"][0].update({attribute: value}))
    assert found == [f"database lyo {attribute}"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: f["instances"].clear(), "number of database instances"),
        (lambda f: f["instances"][0]["Parameters"].clear(), "database lyo rds.force_ssl"),
        (lambda f: f["private"].clear(), "database lyo subnets"),
        (lambda f: f["instances"][0].update(DBSubnetGroup={}), "database lyo subnets"),
        (lambda f: f["caches"].clear(), "number of caches"),
        (lambda f: f["caches"][0].update(Status="creating"), "cache lyo Status"),
        (lambda f: f["caches"][0].update(AuthTokenEnabled=False), "cache lyo AuthTokenEnabled"),
        (
            lambda f: f["caches"][0].update(AtRestEncryptionEnabled=None),
            "cache lyo AtRestEncryptionEnabled",
        ),
        (
            lambda f: f["caches"][0].update(TransitEncryptionEnabled=False),
            "cache lyo TransitEncryptionEnabled",
        ),
        (
            lambda f: f["caches"][0].update(AutomaticFailover="disabled"),
            "cache lyo AutomaticFailover",
        ),
        (
            lambda f: f["caches"][0].pop("SnapshotRetentionLimit"),
            "cache lyo SnapshotRetentionLimit",
        ),
        (lambda f: f["vaults"].clear(), "number of backup vaults"),
        (lambda f: f["selections"][0].clear(), "resources that AWS Backup selects"),
    ],
)
def test_what_is_wrong_with_the_stores(change: Change, name: str) -> None:
    assert names(database, STORES, change) == [name]


def test_an_environment_may_want_less_of_its_stores() -> None:
    wanted = {
        "multi_az": False,
        "deletion_protection": False,
        "database_tls": False,
        "cache_tls": False,
        "aws_backup": False,
    }

    def less(facts: dict[str, Any]) -> None:
        facts["instances"][0].update(MultiAZ=False, DeletionProtection=False, Parameters={})
        facts["caches"][0].update(TransitEncryptionEnabled=False, AutomaticFailover="disabled")
        facts.update(vaults=[], selections=[])

    assert names(database, STORES, less, **wanted) == []
    # What is not wanted is not right either: somebody pays for it.
    assert names(database, STORES, None, **wanted) != []


CLUSTER: dict[str, Any] = {
    "balancers": [
        {
            "LoadBalancerName": "lyo",
            "State": {"Code": "active"},
            "listeners": [
                {"Port": 443, "forwards": [["arn:blue", "arn:green"]]},
                {"Port": 8443, "forwards": [["arn:blue", "arn:green"]]},
            ],
            "certificates": ["arn:c", "arn:c"],
        }
    ],
    "groups": [
        {"TargetGroupName": f"lyo-{c}", "TargetGroupArn": f"arn:{c}", "TargetType": "ip"}
        for c in ("blue", "green")
    ],
    "services": [{"serviceName": "lyo", "status": "ACTIVE"}],
    "repositories": [
        {
            "repositoryName": "lyo",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
        }
    ],
    "log_groups": [{"logGroupName": "/lyo/application", "retentionInDays": 30}],
    "scaling": {
        "targets": [{"ResourceId": "service/lyo/lyo", "MinCapacity": 2, "MaxCapacity": 10}],
        "policies": [{"PolicyName": "cpu"}],
    },
    "certificates": {"arn:c": {"Status": "ISSUED"}},
    "operations": {
        "buckets": {
            "lyo-backups-1": {
                "versions": "Enabled",
                "lock": "Enabled",
                "encryption": "aws:kms",
                "public": False,
            }
        },
        "repositories": [{"repositoryName": "lyo-ops", "imageTagMutability": "IMMUTABLE"}],
        "schedules": {"backup": {"State": "DISABLED"}, "drift": {"State": "ENABLED"}},
    },
}


def test_a_whole_cluster_is_right() -> None:
    assert names(application, CLUSTER) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: f["balancers"].clear(), "number of load balancers"),
        (lambda f: f["balancers"][0]["State"].update(Code="failed"), "load balancer lyo Code"),
        (lambda f: f["balancers"][0]["listeners"].pop(), "load balancer lyo HTTPS listeners"),
        (
            lambda f: f["balancers"][0]["listeners"][1]["forwards"][0].pop(),
            "load balancer lyo port 8443 rules",
        ),
        (lambda f: f["certificates"]["arn:c"].update(Status="EXPIRED"), "certificate arn:c Status"),
        (lambda f: f["certificates"].clear(), "certificate arn:c Status"),
        (lambda f: f["groups"].pop(), "target groups"),
        (
            lambda f: f["groups"][0].update(TargetType="instance"),
            "target group lyo-blue TargetType",
        ),
        (lambda f: f["services"].clear(), "number of services"),
        (lambda f: f["services"][0].update(status="DRAINING"), "service lyo status"),
        (lambda f: f["repositories"].clear(), "number of image repositories"),
        (
            lambda f: f["repositories"][0].update(imageTagMutability="MUTABLE"),
            "repository lyo imageTagMutability",
        ),
        (
            lambda f: f["repositories"][0].pop("imageScanningConfiguration"),
            "repository lyo scanOnPush",
        ),
        (lambda f: f["log_groups"].clear(), "number of log groups"),
        (
            lambda f: f["log_groups"][0].pop("retentionInDays"),
            "log group /lyo/application retentionInDays",
        ),
        (lambda f: f["scaling"]["targets"].clear(), "number of scalable targets"),
        (
            lambda f: f["scaling"]["targets"][0].update(MinCapacity=1),
            "scaling of service/lyo/lyo MinCapacity",
        ),
        (
            lambda f: f["scaling"]["targets"][0].update(MaxCapacity=2),
            "scaling of service/lyo/lyo MaxCapacity",
        ),
        (lambda f: f["scaling"]["policies"].clear(), "number of scaling policies"),
        (lambda f: f["operations"]["buckets"].clear(), "number of buckets of backups"),
        (
            lambda f: f["operations"]["buckets"]["lyo-backups-1"].update(lock=None),
            "bucket lyo-backups-1 lock",
        ),
        (
            lambda f: f["operations"]["buckets"]["lyo-backups-1"].update(public=True),
            "bucket lyo-backups-1 public",
        ),
        (
            lambda f: f["operations"]["repositories"].clear(),
            "number of repositories of the ops image",
        ),
        (lambda f: f["operations"]["schedules"].update(drift={}), "schedule drift"),
    ],
)
def test_what_is_wrong_with_a_cluster(change: Change, name: str) -> None:
    assert name in names(application, CLUSTER, change)


def test_only_rules_that_forward_count() -> None:
    groups = [{"TargetGroupArn": "b"}, {"TargetGroupArn": "a"}]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    rules = [{"Actions": [forward]}, {"Actions": [{"Type": "fixed-response"}]}]
    assert application.forwards(rules) == [["a", "b"]]


GUARDS: dict[str, Any] = {
    "name": "lyo",
    "serving": True,
    "firewall": {"name": "lyo", "rules": ["rate"], "logs": ["arn:logs"]},
    "detectors": [{"Status": "ENABLED"}],
    "alarms": [
        {
            "AlarmName": "lyo-5xx",
            "StateValue": "OK",
            "AlarmActions": ["arn:t"],
            "ActionsEnabled": True,
        },
        {
            "AlarmName": "lyo-new",
            "StateValue": "INSUFFICIENT_DATA",
            "AlarmActions": ["arn:t"],
            "ActionsEnabled": True,
        },
    ],
    "topics": [
        {"name": "lyo-critical", "subscriptions": ["PendingConfirmation", "arn:aws:sns:x"]},
        {"name": "lyo-warning", "subscriptions": []},
    ],
}


def test_whole_guards_are_right() -> None:
    assert names(security_and_monitoring, GUARDS) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: f["firewall"].clear(), "web ACL of the load balancer"),
        (lambda f: f["firewall"].update(rules=[]), "web ACL lyo rules"),
        (lambda f: f["firewall"].update(logs=[]), "web ACL lyo logging"),
        (lambda f: f["detectors"].clear(), "number of GuardDuty detectors"),
        (lambda f: f["detectors"][0].update(Status="DISABLED"), "GuardDuty detector Status"),
        (lambda f: f["alarms"].clear(), "number of alarms"),
        (lambda f: f["alarms"][0].update(StateValue="ALARM"), "alarm lyo-5xx"),
        (lambda f: f["alarms"][1].update(AlarmActions=[]), "alarm lyo-new actions"),
        (lambda f: f["alarms"][1].update(ActionsEnabled=False), "alarm lyo-new actions"),
        (lambda f: f["topics"].pop(0), "number of critical topics"),
        (
            lambda f: f["topics"][0]["subscriptions"].pop(),
            "topic lyo-critical confirmed subscriptions",
        ),
    ],
)
def test_what_is_wrong_with_the_guards(change: Change, name: str) -> None:
    assert names(security_and_monitoring, GUARDS, change) == [name]


def test_a_schedule_that_has_not_run_yet_is_told_elsewhere() -> None:
    def missed(facts: dict[str, Any], name: str = "lyo-schedule-missed-backup") -> None:
        facts["alarms"][0].update(AlarmName=name, StateValue="ALARM")

    assert names(security_and_monitoring, GUARDS, missed) == []
    assert names(security_and_monitoring, GUARDS, lambda f: missed(f, "lyo-schedule-failed")) == [
        "alarm lyo-schedule-failed"
    ]


def test_parts_of_a_composite_alarm_speak_through_it() -> None:
    def burn(facts: dict[str, Any], **composite: Any) -> None:
        quiet = {"AlarmActions": [], "ActionsEnabled": True}
        facts["alarms"] += [
            {"AlarmName": "lyo-slo-long", "StateValue": "ALARM", **quiet},
            {
                "AlarmName": "lyo-outage",
                "AlarmRule": 'ALARM("lyo-slo-long") AND ALARM("lyo-slo-short")',
                "StateValue": "OK",
                "AlarmActions": ["arn:t"],
                "ActionsEnabled": True,
                **composite,
            },
        ]

    assert names(security_and_monitoring, GUARDS, burn) == []
    loud = names(security_and_monitoring, GUARDS, lambda f: burn(f, StateValue="ALARM"))
    assert loud == ["alarm lyo-outage"]


def test_a_spent_error_budget_is_told_elsewhere() -> None:
    def spent(facts: dict[str, Any]) -> None:
        facts["alarms"][0].update(AlarmName="lyo-slo-fast", StateValue="ALARM")

    assert names(security_and_monitoring, GUARDS, spent) == []


def test_what_rang_before_the_run_does_not_stop_its_cure() -> None:
    planned = datetime(2026, 11, 23, 3, tzinfo=UTC)

    def rings(facts: dict[str, Any], seconds: int) -> None:
        facts["since"] = planned
        facts["alarms"][0].update(
            StateValue="ALARM", StateTransitionedTimestamp=planned + timedelta(seconds=seconds)
        )

    assert names(security_and_monitoring, GUARDS, lambda f: rings(f, -1)) == []
    assert names(security_and_monitoring, GUARDS, lambda f: rings(f, 1)) == ["alarm lyo-5xx"]


def test_alarms_may_ring_while_nothing_serves_or_where_things_are_broken_on_purpose() -> None:
    def ring(facts: dict[str, Any], *, serving: bool) -> None:
        facts["alarms"][0]["StateValue"] = "ALARM"
        facts["serving"] = serving

    loud = names(security_and_monitoring, GUARDS, lambda f: ring(f, serving=True))
    assert loud == ["alarm lyo-5xx"]
    assert names(security_and_monitoring, GUARDS, lambda f: ring(f, serving=False)) == []
    broken = names(security_and_monitoring, GUARDS, lambda f: ring(f, serving=True), quiet=False)
    assert broken == []


def test_alarms_of_releases_tell_nobody_but_count() -> None:
    def watched(facts: dict[str, Any], state: str) -> None:
        facts["alarms"].append(
            {
                "AlarmName": "lyo-release-5xx",
                "StateValue": state,
                "AlarmActions": [],
                "ActionsEnabled": True,
            }
        )

    assert names(security_and_monitoring, GUARDS, lambda f: watched(f, "OK")) == []
    assert names(security_and_monitoring, GUARDS, lambda f: watched(f, "ALARM")) == [
        "alarm lyo-release-5xx"
    ]


def test_an_environment_may_do_without_guards() -> None:
    nothing = {
        "name": "lyo",
        "serving": True,
        "firewall": {},
        "detectors": [],
        "alarms": [],
        "topics": [],
    }
    wanted = {"firewall": False, "guardduty": False, "alarms": False}
    assert names(security_and_monitoring, nothing, **wanted) == []
    unconfirmed = names(
        security_and_monitoring,
        GUARDS,
        lambda f: f["topics"][0]["subscriptions"].clear(),
        critical_subscription=False,
    )
    assert unconfirmed == []


NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADERS = dict.fromkeys(dns_and_tls.SECURITY_HEADERS, "x")
NAMES: dict[str, Any] = {
    "outputs": {
        "api_url": "https://api.lyo.example",
        "dashboard_url": "https://dashboard.lyo.example",
        "distribution_id": "E1",
        "load_balancer_dns_name": "lyo.elb.amazonaws.com",
    },
    "zone": {
        "name": "lyo.example",
        "name_servers": ["ns-1.awsdns.com", "ns-2.awsdns.net"],
        "delegated_to": ["ns-1.awsdns.com", "ns-2.awsdns.net"],
        "records": [
            {
                "Name": "api.lyo.example.",
                "Type": "A",
                "AliasTarget": {"DNSName": "dualstack.LYO.elb.amazonaws.com."},
            },
            {
                "Name": "dashboard.lyo.example.",
                "Type": "A",
                "AliasTarget": {"DNSName": "d1.cloudfront.net."},
            },
        ],
    },
    "certificates": [
        {
            "DomainName": "api.lyo.example",
            "Region": region,
            "Status": "ISSUED",
            "NotAfter": NOW + timedelta(days=60),
        }
        for region in ("eu-south-1", "us-east-1")
    ],
    "distribution": {"Status": "Deployed", "DomainName": "d1.cloudfront.net"},
    "health": ["Success: HTTP Status Code 200, OK", "Failure: timeout"],
    "serving": True,
    "outside": {
        "tls": {"error": "", "version": "TLSv1.3", "not_after": NOW.timestamp() + 60 * 86400},
        "redirect": {
            "status": 301,
            "headers": {"location": "https://api.lyo.example/health"},
            "error": "",
        },
        "dashboard": {"status": 403, "headers": HEADERS, "error": ""},
    },
    "now": NOW.timestamp(),
}


def test_whole_names_are_right() -> None:
    assert names(dns_and_tls, NAMES) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: f["outputs"].clear(), "Terraform's outputs"),
        (lambda f: f["zone"].clear(), "hosted zone"),
        (lambda f: f["zone"].update(delegated_to=[]), "name servers of lyo.example"),
        (lambda f: f["zone"].update(delegated_to="no answer"), "name servers of lyo.example"),
        (lambda f: f["zone"]["records"].pop(0), "record api of lyo.example"),
        (
            lambda f: f["zone"]["records"][0]["AliasTarget"].update(DNSName="other."),
            "record api of lyo.example",
        ),
        (lambda f: f["zone"]["records"][1].update(Type="TXT"), "record dashboard of lyo.example"),
        (lambda f: f["health"].clear(), "health check of the API"),
        (lambda f: f["health"].pop(0), "health check of the API"),
        (lambda f: f["certificates"].pop(), "regions with a certificate"),
        (
            lambda f: f["certificates"][1].update(Status="PENDING_VALIDATION"),
            "certificate of api.lyo.example in us-east-1 Status",
        ),
        (
            lambda f: f["certificates"][0].update(NotAfter=NOW + timedelta(days=20)),
            "certificate of api.lyo.example in eu-south-1 days left",
        ),
        (lambda f: f["distribution"].update(Status="InProgress"), "distribution E1 Status"),
        (
            lambda f: f["outside"]["tls"].update(error="hostname mismatch"),
            "TLS of https://api.lyo.example",
        ),
        (
            lambda f: f["outside"]["tls"].update(not_after=NOW.timestamp()),
            "TLS of https://api.lyo.example days left",
        ),
        (lambda f: f["outside"]["redirect"].update(status=200), "plain HTTP of api.lyo.example"),
        (
            lambda f: f["outside"]["redirect"]["headers"].update(location="https://other/health"),
            "plain HTTP of api.lyo.example",
        ),
        (
            lambda f: f["outside"]["dashboard"].update(status=0, error="refused"),
            "dashboard https://dashboard.lyo.example",
        ),
        (
            lambda f: f["outside"]["dashboard"].update(headers={}),
            "headers of https://dashboard.lyo.example",
        ),
    ],
)
def test_what_is_wrong_with_the_names(change: Change, name: str) -> None:
    assert names(dns_and_tls, NAMES, change) == [name]


def test_before_the_first_release_the_api_need_not_be_well_but_watched() -> None:
    def unwell(facts: dict[str, Any]) -> None:
        facts.update(health=["Failure: HTTP Status Code 503"], serving=False)

    def unwatched(facts: dict[str, Any]) -> None:
        facts.update(health=[], serving=False)

    assert names(dns_and_tls, NAMES, unwell) == []
    assert names(dns_and_tls, NAMES, unwatched) == ["health check of the API"]


def test_where_nobody_resolves_its_names_only_the_addresses_count() -> None:
    def less(facts: dict[str, Any]) -> None:
        facts.update(zone={}, health=[], certificates=facts["certificates"][:1])

    assert names(dns_and_tls, NAMES, less, zone=False, delegation=False) == []


class EmptyAws:
    """An account in which nothing is but Terraform's outputs."""

    region = "eu-south-1"

    def __init__(self, **outputs: str) -> None:
        self.outputs = outputs

    def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        if (service, operation) == ("ssm", "get_parameters"):
            return outputs_answer(self.outputs)(params)
        if operation == "describe_alarms":
            return {}
        raise failure("ResourceNotFoundException")

    def all(self, *_: Any, **__: Any) -> list[Any]:
        return []


def test_every_phase_of_an_empty_account_is_read_and_found_wanting() -> None:
    nowhere = f"https://127.0.0.1:{free_port()}"
    aws = EmptyAws(
        api_url=nowhere,
        dashboard_url=nowhere,
        distribution_id="E1",
        zone_id="Z1",
        health_check_id="H1",
        load_balancer_dns_name="lb",
    )
    wanted = {**expected(), "delegation": False, "http_port": free_port()}
    target = Target("x", "lyo-x", aws, aws, wanted)
    findings = validate(target, list(PHASES))
    assert {name for name, found in findings.items() if found} == set(PHASES)
    assert f"TLS of {nowhere}" in [f.name for f in findings["dns_and_tls"]]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
