"""Webhooks at a double of Meta's Graph API, which really calls the deployed application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphdouble.client import DoubleClient
from graphdouble.lifecycle import started
from tests.runbooks.harness import Environment, Run
from tests.runbooks.traffic import Customer
from tests.webhooks.seed import ROOT, seed


@pytest.fixture(scope="module")
def meta(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DoubleClient]:
    state = tmp_path_factory.mktemp("meta") / "double"
    with started(state, ca_bundle=Path(environment.ca_bundle)) as double:
        seed(environment.content, double)
        yield double


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list as a file: reading it from the database starts a task."""
    rows = json.loads((ROOT / "examples" / "booking" / "tenants.json").read_text())
    path = tmp_path_factory.mktemp("list") / "tenants.csv"
    lines = [f"{row['id']},1{row['phone_number_id']},{row['phone_number_id']}" for row in rows]
    path.write_text("\n".join(["id,waba_id,phone_number_id", *lines, ""]))
    return path


def run(environment: Environment, meta: DoubleClient, runbook: str, *arguments: str) -> Run:
    return environment.run(runbook, *arguments, environment={"LYO_GRAPH_URL": meta.endpoint})


def test_a_first_registration_from_the_database_is_proven_in_the_applications_log(
    environment: Environment, meta: DoubleClient
) -> None:
    done = run(environment, meta, "webhooks.yml")
    assert done.returncode == 0, done.output
    assert "REGISTERED" in done.output
    url = f"{environment.outputs['api_url']}/webhook"
    assert set(meta.routes().values()) == {url}
    kept = [line for line in done.output.splitlines() if "restore=" in line]
    assert kept, "what was there before is not named"
    secret = environment.secret(environment.outputs["whatsapp_secret_arn"])
    assert not [key for key in ("app_secret", "access_token", "verify_token")
                if secret[key] in done.output]  # fmt: skip
    probe = environment.client("logs").filter_log_events(
        logGroupName=environment.outputs["log_group"], filterPattern='"webhook probe"'
    )
    found = {json.loads(event["message"])["tenant"] for event in probe["events"]}
    assert found == {"da-mario", "il-faro", "nonna-rosa"}
    customer = Customer(environment)
    customer.wa_id = "0"  # whom a probe is from
    headers = {"X-Lyo-Ops-Token": secret["verify_token"].split()[0]}
    assert customer.request("/tenants/da-mario/customers/0", headers=headers)[0] == 404


def test_a_run_with_nothing_to_do_writes_nothing_anywhere(
    environment: Environment, meta: DoubleClient, tenants: Path
) -> None:
    meta.clear_calls()
    done = run(environment, meta, "webhooks.yml", "-e", f"webhooks_tenants={tenants}")
    assert done.returncode == 0, done.output
    assert "UNCHANGED" in done.output
    assert meta.calls(writes=True) == []
    assert environment.calls(done.started, writes=True) == []
    again = run(environment, meta, "deploy.yml", "--check")
    assert "webhooks:" not in again.output, "a deploy would register again"


def test_a_tenant_that_fails_is_named_and_ends_the_run_with_2(
    environment: Environment, meta: DoubleClient, tenants: Path
) -> None:
    wrong = tenants.with_name("wrong.csv")
    wrong.write_text(tenants.read_text() + "nobody,999999999,999999998\n")
    done = run(environment, meta, "webhooks.yml", "-e", f"webhooks_tenants={wrong}")
    assert done.returncode == 2, done.output
    assert "nobody: (100/33)" in done.output
    assert "correct the id" in done.output
    assert "FAILED" in done.output


def test_a_new_verify_token_under_traffic_loses_and_refuses_no_message(
    environment: Environment, meta: DoubleClient
) -> None:
    begun = run(environment, meta, "webhooks.yml", "-e", "rotate=begin")
    assert begun.returncode == 0, begun.output
    arn = environment.outputs["whatsapp_secret_arn"]
    new, old = environment.secret(arn)["verify_token"].split()
    early = run(environment, meta, "webhooks.yml", "-e", "rotate=end")
    assert early.returncode == 2
    assert "still needed" in early.output
    meta.watch(f"{environment.outputs['api_url']}/webhook")
    meta.deliver(rate=20.0)
    done = run(environment, meta, "deploy.yml", "-e", "lyo_whatsapp_token_version=2")
    delivered = meta.stop_delivery(drain=20.0)
    assert done.returncode == 0, done.output
    assert "registering" in done.output
    assert delivered["sent"] > 100
    for bad in ("lost", "refused", "unanswered", "unrouted"):
        assert delivered[bad] == 0, delivered
    assert delivered["delivered"] == delivered["sent"]
    assert meta.gaps() == []
    for token in (new, old):
        assert Customer(environment).handshake(token) == (200, "1158201444")
    ended = run(environment, meta, "webhooks.yml", "-e", "rotate=end")
    assert ended.returncode == 0, ended.output
    assert environment.secret(arn)["verify_token"] == new
    shown = begun.output + early.output + done.output + ended.output
    assert new not in shown
    assert old not in shown
