"""With v1 live: nothing to do is nothing done, predictions hold, the permanent URL behaves."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import outside
from tests.runbooks.harness import BIN, Environment
from tests.runbooks.traffic import Customer


def test_deploying_what_is_live_writes_nothing(environment: Environment) -> None:
    run = environment.run("deploy.yml")
    assert run.returncode == 0, run.output
    assert "UNCHANGED" in run.output
    assert environment.calls(run.started), "no call was recorded at all"
    assert environment.calls(run.started, writes=True) == []


def test_check_mode_predicts_a_pending_release_and_writes_nothing(
    environment: Environment,
) -> None:
    before = environment.live_image()
    run = environment.run("deploy.yml", "-e", "release=v2", "--check", "--diff")
    assert run.returncode == 0, run.output
    for step in ("image", "migrate", "deploy"):
        assert step in run.output
    assert environment.calls(run.started, writes=True) == []
    assert environment.live_image() == before


def test_verify_only_reads(environment: Environment) -> None:
    run = environment.run("verify.yml")
    assert run.returncode == 0, run.output
    assert environment.calls(run.started, writes=True) == []


@pytest.mark.parametrize("mode", [(), ("--check",)])
def test_the_status_says_what_serves_and_only_reads(
    environment: Environment, mode: tuple[str, ...]
) -> None:
    run = environment.run("status.yml", *mode)
    assert run.returncode == 0, run.output
    assert re.search(r"release +v1 \(lyo-local:\d+\), since ", run.output), run.output
    assert re.search(r"(\d+) of \1 tasks run", run.output)
    assert re.search(r"targets +(blue|green): \d+ healthy", run.output)
    assert "the next deploy need not plan" in run.output
    assert re.search(r"cost +about \d+\.\d\d USD a month", run.output)
    assert environment.calls(run.started, writes=True) == []


def test_the_cost_of_what_is_deployed_is_read_from_the_state(
    environment: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "cost.json"
    run = environment.run("cost.yml", "-e", "source=state", "-e", f"output={file}")
    assert run.returncode == 0, run.output
    report = json.loads(file.read_text())
    assert report["not_priced"] == []
    assert report["source"] == "state"
    gateways = next(line for line in report["lines"] if line["price"] == "nat-gateway-hour")
    assert gateways["resources"] == ['module.vpc.aws_nat_gateway.this["eu-south-1a"]']
    assert environment.calls(run.started, writes=True) == []


def test_health_is_well(environment: Environment) -> None:
    status, body = Customer(environment).request("/health")
    assert status == 200, body
    assert json.loads(body)["status"] == "ok"


def test_meta_s_handshake(environment: Environment) -> None:
    customer = Customer(environment)
    assert customer.handshake() == (200, "1158201444")
    assert customer.handshake("wrong")[0] == 403


def test_a_wrong_signature_is_refused(environment: Environment) -> None:
    assert Customer(environment).say("Ciao", secret="not the app secret")[0] in (401, 403)


def test_plain_http_is_redirected_to_https(environment: Environment) -> None:
    import urllib.request

    class Stop(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    host = environment.outputs["load_balancer_dns_name"]
    opener = urllib.request.build_opener(Stop)
    with pytest.raises(urllib.error.HTTPError) as redirect:
        opener.open(f"http://{host}:10080/health", timeout=5)
    assert redirect.value.code == 301
    assert redirect.value.headers["Location"] == f"{environment.outputs['api_url']}/health"


def test_the_dashboard_is_served_and_knows_the_api(environment: Environment) -> None:
    customer, outputs = Customer(environment), environment.outputs
    customer.url = outputs["dashboard_url"]
    status, page = customer.request("/")
    assert status == 200
    assert "<html" in page
    assert json.loads(customer.request("/config.json")[1])["api"] == outputs["api_url"]


def test_aws_cli_boto3_and_terraform_work_from_outside(
    environment: Environment, tmp_path: Path
) -> None:
    """With nothing but the exports of `localcloud env`."""
    exports = outside.exports(environment.content)
    assert exports["AWS_ENDPOINT_URL"].startswith("http://127.")
    variables = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path), **exports}

    def run(*argv: str, cwd: Path = tmp_path) -> str:
        result = subprocess.run(
            argv, env=variables, cwd=cwd, capture_output=True, text=True, timeout=180
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    cluster, service = environment.outputs["cluster_name"], environment.outputs["service_name"]
    query = "services[0].runningCount"
    argv = ("aws", "ecs", "describe-services", "--cluster", cluster, "--services", service)
    assert int(run(*argv, "--query", query)) >= 2
    program = (
        "import boto3; print(boto3.client('ecs').describe_services("
        f"cluster='{cluster}', services=['{service}'])['services'][0]['status'])"
    )
    assert run(sys.executable, "-c", program).strip() == "ACTIVE"

    root = Path(__file__).resolve().parents[2]
    terraform = str(root / ".tools" / "bin" / "terraform")
    (tmp_path / "main.tf").write_text(
        f"""
        terraform {{
          required_providers {{ aws = {{ source = "hashicorp/aws", version = "5.100.0" }} }}
        }}
        provider "aws" {{}}
        data "aws_ecs_service" "lyo" {{
          cluster_arn  = "{cluster}"
          service_name = "{service}"
        }}
        resource "aws_ssm_parameter" "probe" {{
          name  = "/test/{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
          type  = "String"
          value = data.aws_ecs_service.lyo.task_definition
        }}
        """
    )
    run(terraform, "init", "-no-color")
    run(terraform, "apply", "-auto-approve", "-no-color")
    run(terraform, "plan", "-detailed-exitcode", "-no-color")
    run(terraform, "destroy", "-auto-approve", "-no-color")
