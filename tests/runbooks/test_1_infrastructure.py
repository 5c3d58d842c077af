"""What Terraform has made, seen through AWS's APIs and from a browser's place. Read-only, tags apart."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from localcloud import outside
from tests.runbooks.harness import ROOT, Environment

DOMAIN = "local.lyo-prenota.it"  # of no reserved suffix: it took the records to be issued


def test_the_outputs_are_those_that_the_runbooks_read(environment: Environment) -> None:
    wanted = json.loads((ROOT / "tests/terraform/outputs.json").read_text())
    assert sorted(environment.outputs) == sorted(wanted)
    assert None not in environment.outputs.values()


def test_no_secret_is_in_the_outputs(environment: Environment) -> None:
    outputs, secrets = environment.outputs, environment.client("secretsmanager")
    text = json.dumps(outputs)
    token = secrets.get_secret_value(SecretId=outputs["cache"]["auth_secret_arn"])["SecretString"]
    assert len(token) == 64
    assert token not in text
    assert environment.secret(outputs["database"]["secret_arn"])["password"] not in text


def certificates(environment: Environment, region: str) -> list[dict[str, Any]]:
    """The certificates of a region, as DescribeCertificate shows them."""
    acm = outside.client(environment.content, "acm", region=region)
    listed = acm.list_certificates()["CertificateSummaryList"]
    return [
        acm.describe_certificate(CertificateArn=c["CertificateArn"])["Certificate"] for c in listed
    ]


def test_certificates_were_validated_by_records_and_are_served(environment: Environment) -> None:
    (regional,), (edge,) = (
        certificates(environment, region) for region in (environment.content["region"], "us-east-1")
    )
    assert regional["SubjectAlternativeNames"] == [f"api.{DOMAIN}", f"direct.{DOMAIN}"]
    assert edge["SubjectAlternativeNames"] == [f"dashboard.{DOMAIN}", f"api.{DOMAIN}"]
    assert (regional["Status"], edge["Status"]) == ("ISSUED", "ISSUED")
    assert regional["InUseBy"] == [environment.outputs["load_balancer_arn"]]
    assert len(edge["InUseBy"]) == 2


def test_the_dashboard_may_ask_the_api_and_nobody_else(environment: Environment) -> None:
    outputs = environment.outputs
    trust = ssl.create_default_context(cafile=environment.ca_bundle)
    assert outputs["dashboard_url"].startswith("https://127."), outputs["dashboard_url"]
    with urllib.request.urlopen(outputs["dashboard_url"], timeout=10, context=trust) as page:
        headers = page.headers
    assert f"connect-src 'self' {outputs['api_url']};" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    missing_page = f"{outputs['dashboard_url']}/no-such-page"
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(missing_page, timeout=10, context=trust)
    assert missing.value.code == 404


def test_tags_of_a_scalable_target_can_be_changed(environment: Environment) -> None:
    scaling = environment.client("application-autoscaling")
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    arn = target["ScalableTargetARN"]
    before = scaling.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert before["Environment"] == "local"
    scaling.tag_resource(ResourceARN=arn, Tags={"Owner": "on call"})
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == before | {"Owner": "on call"}
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Owner"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == before
    with pytest.raises(scaling.exceptions.ResourceNotFoundException):
        scaling.list_tags_for_resource(ResourceARN=arn[:-1] + "-")


def test_one_module_alone_can_be_planned_by_hand(environment: Environment) -> None:
    """`scripts/terraform`, for whoever types Terraform: the database's module has nothing to change."""
    done = subprocess.run(
        [
            *(str(ROOT / "scripts/terraform"), "local", "plan", "-no-color", "-detailed-exitcode"),
            "-target=module.database",
        ],
        env={**os.environ, "LOCALCLOUD_STATE": str(environment.state_dir)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert 'module.database.aws_db_instance.this["first"]: Refreshing state' in done.stdout
    assert "aws_ecs_service" not in done.stdout
