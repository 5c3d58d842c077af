"""Production's variables through the real provider, as far as that goes without its account.

A local cloud answers in place of AWS; nothing is applied. Other than in production are only the
account (the local cloud's) and the backend (a file: the bucket is not this account's).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from localcloud.recorder import RecordedCall, read_calls
from tests.localcloud.conftest import ROOT, RunningCloud
from tests.terraform.inventory import Instance, load, planned, problems

TERRAFORM = str(ROOT / ".tools/bin/terraform")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def production(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A function that runs Terraform on a copy of the configuration with production's variables."""
    folder = tmp_path_factory.mktemp("production")
    copy = folder / "terraform"
    ignored = shutil.ignore_patterns(".terraform", "tests")
    shutil.copytree(ROOT / "terraform", copy, ignore=ignored)
    (copy / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE"))
    } | {
        "TF_DATA_DIR": str(folder / "data"),
        "TF_IN_AUTOMATION": "1",
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": cloud.content["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": cloud.content["secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # Somebody's shell: the configuration says where things are made, not this.
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
    }

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        assert cloud.endpoint.startswith("http://127."), cloud.endpoint
        done = subprocess.run(
            [TERRAFORM, f"-chdir={copy}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert not check or done.returncode == 0, done.stdout[-4000:] + done.stderr
        return done

    run("init", "-input=false", "-lockfile=readonly", "-no-color")
    yield run
    shutil.rmtree(folder)


def plan(production: Run, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Plan with production's variables, few tries and these arguments."""
    few = "provider_settings={max_retries=2,s3_use_path_style=true}"
    return production(
        "plan",
        "-input=false",
        "-no-color",
        "-var-file=production.tfvars",
        f"-var={few}",
        *arguments,
        check=check,
    )


def calls_since(cloud: RunningCloud, started: datetime) -> list[RecordedCall]:
    return list(read_calls(cloud.state_dir / "calls.jsonl", started.isoformat(), False))


@pytest.fixture(scope="module")
def document(
    cloud: RunningCloud, production: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The plan as Terraform shows it, and under `calls` what was called for it."""
    file, started = tmp_path_factory.mktemp("plan") / "plan", datetime.now(UTC)
    plan(production, f"-var=account_id={cloud.content['account_id']}", f"-out={file}")
    calls = calls_since(cloud, started)
    shown: dict[str, Any] = json.loads(production("show", "-json", str(file)).stdout)
    return {**shown, "calls": calls}


@pytest.mark.timeout(600)
def test_production_has_its_sizes(document: dict[str, Any]) -> None:
    instances = planned(document)
    assert problems(load(), "production", instances) == []

    def one(resource: str) -> Instance:
        (found,) = [instance for instance in instances if instance.resource == resource]
        return found

    # Said again in words, because the rest of the inventory is long.
    database = one("aws_db_instance.this").values
    assert (database["multi_az"], database["deletion_protection"]) == (True, True)
    assert one("aws_lb.this").values["enable_deletion_protection"] is True
    scaling = one("aws_appautoscaling_target.service").values
    assert (scaling["min_capacity"], scaling["max_capacity"]) == (2, 10)
    forced = {p["name"]: p["value"] for p in one("aws_db_parameter_group.this").values["parameter"]}
    assert forced["rds.force_ssl"] == "1"
    assert one("aws_elasticache_replication_group.this").values["transit_encryption_enabled"]
    assert sum(i.resource == "aws_nat_gateway.this" for i in instances) == 2
    assert sum(i.resource.startswith("aws_backup_vault_lock") for i in instances) == 2


def test_everything_is_tagged_by_the_provider(document: dict[str, Any]) -> None:
    tags = {"Project": "lyo", "Environment": "production", "ManagedBy": "terraform"}
    taggable = [
        instance for instance in planned(document) if instance.values.get("tags_all") is not None
    ]
    assert len(taggable) > 40
    for instance in taggable:
        assert instance.values["tags_all"].items() >= tags.items(), instance.address


def test_a_plan_only_reads_and_only_in_the_regions_of_the_configuration(
    cloud: RunningCloud, document: dict[str, Any]
) -> None:
    calls: list[RecordedCall] = document["calls"]
    assert calls
    assert [call.operation for call in calls if call.kind == "write"] == []
    text = (ROOT / "terraform/variables.tf").read_text()
    copies = re.search(r'"backup_copy_region" \{.*?default += "([^"]+)"', text, re.DOTALL)
    assert copies
    regions = {cloud.content["region"], "us-east-1", copies.group(1)}
    assert {call.region for call in calls} <= regions


def test_another_account_is_refused_before_anything_is_read(
    cloud: RunningCloud, production: Run
) -> None:
    started = datetime.now(UTC)
    refused = plan(production, check=False)  # production.tfvars names no account of ours
    assert refused.returncode == 1
    assert "AWS account ID not allowed: 123456789012" in refused.stderr
    assert {call.operation for call in calls_since(cloud, started)} == {"GetCallerIdentity"}
