"""`terraform validate`, `terraform test` with a mocked provider, and what the tfvars come to."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.terraform.conftest import Run

# address → attribute → what each environment plans
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "module.database.aws_db_instance.this": {
        "instance_class": dict.fromkeys(("local", "staging", "production"), "db.t3.micro"),
        "multi_az": {"local": False, "staging": False, "production": True},
        "backup_retention_period": {"local": 7, "staging": 1, "production": 14},
        "deletion_protection": {"local": False, "staging": False, "production": True},
        "skip_final_snapshot": {"local": True, "staging": True, "production": False},
        "storage_encrypted": dict.fromkeys(("local", "staging", "production"), True),
        "publicly_accessible": dict.fromkeys(("local", "staging", "production"), False),
        "manage_master_user_password": dict.fromkeys(("local", "staging", "production"), True),
        "performance_insights_enabled": dict.fromkeys(("local", "staging", "production"), True),
        "monitoring_interval": {"local": 60, "staging": 0, "production": 60},
    },
    "module.database.aws_elasticache_replication_group.this": {
        "num_cache_clusters": {"local": 1, "staging": 1, "production": 2},
        "automatic_failover_enabled": {"local": False, "staging": False, "production": True},
        "transit_encryption_enabled": {"local": False, "staging": True, "production": True},
        "at_rest_encryption_enabled": dict.fromkeys(("local", "staging", "production"), "true"),
    },
    "module.application.aws_appautoscaling_target.service": {
        "min_capacity": {"local": 2, "staging": 1, "production": 2},
        "max_capacity": {"local": 10, "staging": 2, "production": 10},
    },
    "module.application.aws_lb.this": {
        "enable_deletion_protection": {"local": False, "staging": False, "production": True},
    },
    "module.application.aws_ecr_repository.this": {
        "image_tag_mutability": dict.fromkeys(("local", "staging", "production"), "IMMUTABLE"),
        "force_delete": {"local": True, "staging": True, "production": False},
    },
    "module.application.aws_secretsmanager_secret.whatsapp": {
        "recovery_window_in_days": {"local": 0, "staging": 0, "production": 30},
    },
}
NAT_GATEWAYS = {"local": 1, "staging": 1, "production": 2}


def plan_of(terraform: Run, environment: str) -> dict[str, dict[str, Any]]:
    """The values planned for every managed resource, by address."""
    output = terraform(
        "test",
        "-json",
        "-verbose",
        "-test-directory=tests/environments",
        f"-var-file={environment}.tfvars",
    ).stdout
    events = [json.loads(line) for line in output.splitlines()]
    plan = next(event["test_plan"] for event in events if event["type"] == "test_plan")
    return {
        change["address"]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["mode"] == "managed"
    }


@pytest.fixture(scope="module")
def planned(terraform: Run) -> dict[str, dict[str, dict[str, Any]]]:
    """The plan of every environment."""
    return {environment: plan_of(terraform, environment) for environment in NAT_GATEWAYS}


def test_the_configuration_is_valid(terraform: Run) -> None:
    # With the tests it would take each module they name for a root, without its second provider.
    done = terraform("validate", "-no-tests", "-json")
    assert json.loads(done.stdout)["diagnostics"] == []


def test_every_terraform_test_passes(terraform: Run) -> None:
    done = terraform("test", "-no-color", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout


@pytest.mark.parametrize("environment", ["local", "staging", "production"])
def test_the_environment_has_its_sizes(
    planned: dict[str, dict[str, dict[str, Any]]], environment: str
) -> None:
    resources = planned[environment]
    wanted = {
        (address, attribute): values[environment]
        for address, attributes in SIZES.items()
        for attribute, values in attributes.items()
    }
    assert {key: resources[key[0]][key[1]] for key in wanted} == wanted
    nat_gateways = [address for address in resources if ".aws_nat_gateway." in address]
    assert len(nat_gateways) == NAT_GATEWAYS[environment]


def test_every_environment_has_the_same_resources(
    planned: dict[str, dict[str, dict[str, Any]]],
) -> None:
    kinds = {name: {address.split("[")[0] for address in planned[name]} for name in planned}
    ours = {
        # The test listener is opened to ranges that only the environment's owner knows.
        "module.vpc.aws_vpc_security_group_ingress_rule.web_test_listener",
        # Nobody is told of the local cloud's alarms.
        "module.monitoring.aws_sns_topic_subscription.regional",
        "module.monitoring.aws_sns_topic_subscription.us_east_1",
    }
    # Chosen: staging keeps RDS's own backups only, and the local cloud tries interface endpoints.
    chosen = re.compile(
        r"\.aws_backup_|\.aws_kms_(key|alias)\.copy$|\.aws_iam_role\w*\.(backup|restore_testing)$"
        r"|\.restore_testing$|\.enhanced_monitoring$|\.interface$|\.endpoints(_application)?$"
    )
    same = {
        name: {kind for kind in kinds[name] - ours if not chosen.search(kind)} for name in kinds
    }
    assert same["local"] == same["staging"] == same["production"]
    backed_up = {kind for kind in kinds["production"] if ".aws_backup_" in kind}
    assert len(backed_up) >= 9
    assert backed_up <= kinds["local"]
    assert not any(".aws_backup_" in kind for kind in kinds["staging"])
