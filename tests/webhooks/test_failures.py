"""What goes wrong for one tenant is told with its remedy; the others are done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lyo_webhooks import rate, versions

from tests.webhooks.harness import Registrar


def others_are_done(registrar: Registrar, *failing: str) -> bool:
    routes = registrar.routes()
    done = {
        routes[number]
        for name, numbers in registrar.numbers.items()
        if name not in failing
        for number in numbers
    }
    return done == {registrar.url}


def failed(registrar: Registrar, name: str, **options: Any) -> dict[str, str]:
    """Run; exactly this tenant must have failed. Returns how, and runs again to the same end."""
    good, answer = registrar.run(**options)
    assert not good
    assert answer["verdict"] == "FAILED"
    assert set(answer["failing"]) == {name}, answer
    assert any(line.startswith(f"! {name}: ") for line in answer["table"])
    assert any(reason.startswith(f"{name}: ") for reason in answer["reasons"])
    assert others_are_done(registrar, name)
    report = (registrar.folder / "report.csv").read_text()
    assert any(row.startswith(f"{name},") and ",failed," in row for row in report.splitlines())
    again = registrar.run(**options)[1]
    assert again["failing"].keys() == answer["failing"].keys()
    assert again["writes"] == 0 or answer["failing"][name]["code"] == "2200"
    outcome: dict[str, str] = answer["failing"][name]
    return outcome


def test_an_expired_token(registrar: Registrar) -> None:
    registrar.double.tokens(registrar.accounts["t1"], state="expired")
    outcome = failed(registrar, "t1")
    assert outcome["code"] == "190"
    assert "make a new one" in outcome["remedy"]


@pytest.mark.parametrize("code", [10, 200])
def test_a_missing_permission(registrar: Registrar, code: int) -> None:
    registrar.double.tokens(registrar.accounts["t1"], management=False, missing_code=code)
    outcome = failed(registrar, "t1")
    assert outcome["code"] == str(code)
    assert "whatsapp_business_management" in outcome["remedy"]


def test_an_unknown_account(registrar: Registrar) -> None:
    registrar.rows[1]["waba_id"] = "123456789"
    outcome = failed(registrar, "t1")
    assert outcome["code"] == "100"
    assert "no such id" in outcome["remedy"]


def test_a_number_of_another_account(registrar: Registrar) -> None:
    registrar.rows[1]["phone_number_id"] = ["987654321"]
    outcome = failed(registrar, "t1")
    assert outcome["code"] == "number"
    assert "987654321 is not a number of account" in outcome["message"]


def test_another_app_on_the_account_is_left_alone_unless_allowed(registrar: Registrar) -> None:
    account = registrar.accounts["t1"]
    other = registrar.double.foreign_app([account])
    outcome = failed(registrar, "t1")
    assert outcome["code"] == "foreign_app"
    assert other["id"] in outcome["message"]
    assert account not in {call["object_id"] for call in registrar.written()}
    registrar.begun(other_apps=[other["id"]])
    assert others_are_done(registrar)


def test_a_callback_that_fails_its_handshake(registrar: Registrar) -> None:
    registrar.rows[1]["url"] = "https://127.0.0.1:9/webhook"
    outcome = failed(registrar, "t1")
    assert outcome["code"] == "2200"
    assert "callback URL" in outcome["remedy"]


def test_a_duplicate_phone_number_is_told_before_anything_is_called(registrar: Registrar) -> None:
    registrar.rows[1]["phone_number_id"] = registrar.rows[0]["phone_number_id"]
    good, answer = registrar.run()
    assert not good
    assert "tenant t0: phone_number_id" in answer["msg"]
    assert "tenant t1: phone_number_id" in answer["msg"]
    assert registrar.double.calls() == []
    good, answer = registrar.run(skip_invalid=True)
    assert not good
    assert set(answer["failing"]) == {"t0", "t1"}
    assert others_are_done(registrar, "t0", "t1"), (answer, registrar.routes())


def test_a_token_that_is_not_in_its_secret(registrar: Registrar) -> None:
    registrar.rows[1]["token"] = "lyo/tokens#nobody"
    good, answer = registrar.run()
    assert not good
    assert "tenant t1: the secret lyo/tokens has no key nobody" in answer["msg"]
    assert registrar.double.calls() == []
    good, answer = registrar.run(skip_invalid=True)
    assert answer["failing"]["t1"]["code"] == "secret"
    assert others_are_done(registrar, "t1")


def test_a_wrong_app_secret_stops_before_any_tenant(registrar: Registrar) -> None:
    registrar.set_app("verify-token-of-the-tests", app_secret="0" * 32)
    good, answer = registrar.run()
    assert not good
    assert "does not accept the app's id and secret" in answer["msg"]
    assert registrar.written() == []
    assert len(registrar.double.calls()) == 1


def test_a_tenant_that_the_application_does_not_know(registrar: Registrar) -> None:
    registrar.cloud._tenants.pop(registrar.numbers["t1"][1])
    good, answer = registrar.run()
    assert not good
    assert answer["failing"]["t1"]["code"] == "not_proven"
    assert "is nobody's in the application" in answer["failing"]["t1"]["message"]
    assert not registrar.run()[0], "what was not proven counts as proven the next time"
    registrar.cloud._tenants[registrar.numbers["t1"][1]] = "t1"
    assert registrar.begun()["verdict"] == "UNCHANGED"


def test_a_version_that_has_ended_or_ends_soon(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = registrar.options["graph"]
    good, answer = registrar.run(graph={**graph, "version": "v20.0"})
    assert not good
    assert "v20.0 ended on 2026-09-24" in answer["msg"]
    assert registrar.double.calls() == []
    assert registrar.begun()["warnings"] == []
    end = versions.ENDS["v25.0"]
    assert end is not None
    monkeypatch.setattr("ansible.module_utils.lyo_webhooks.run.today", lambda: end.replace(month=5))
    assert "v25.0 ends on" in registrar.begun(graph={**graph, "version": "v25.0"})["warnings"][0]


def test_another_address_than_metas_is_refused(registrar: Registrar) -> None:
    graph = registrar.options["graph"]
    for url, env in (("https://graph.facebook.com", "local"), (graph["url"], "production")):
        good, answer = registrar.run(graph={**graph, "url": url}, env=env)
        assert not good
        assert "graph_url" in answer["msg"]
    assert registrar.double.calls() == []


def test_a_lost_lock_ends_the_run_before_its_next_write(registrar: Registrar) -> None:
    registrar.cloud.fence_lost = True
    good, answer = registrar.run()
    assert not good
    assert "taken over" in answer["msg"]
    assert registrar.written() == []


def test_the_apps_limit_is_waited_out(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The double's hour is a second; next to no calls is a few of them there.
    monkeypatch.setattr(rate, "MIN_RATE", 5.0)
    registrar.double.settings(app_calls_per_hour=20, speed=3600.0)
    assert registrar.begun()["counts"]["limited"] > 0
    assert others_are_done(registrar)


def test_an_accounts_limit_that_outlasts_patience_is_left_to_the_next_run(
    registrar: Registrar,
) -> None:
    registrar.double.settings(account_calls_per_hour=1, account_limit_code=80007)
    good, answer = registrar.run()
    assert not good
    assert {outcome["code"] for outcome in answer["failing"].values()} == {"80007"}
    assert "in an hour" in answer["failing"]["t1"]["remedy"]
    registrar.double.settings(account_calls_per_hour=5000)
    registrar.begun()
    assert others_are_done(registrar)


@pytest.mark.parametrize("seed", [1, 2])
def test_with_a_third_of_all_calls_failing_runs_converge_without_a_gap(
    registrar: Registrar, seed: int
) -> None:
    registrar.begun(callback_url=registrar.receiver.url("old"))
    registrar.double.watch(registrar.url, registrar.receiver.url("old"))
    registrar.double.faults(
        {"action": "error", "rate": 0.15}, {"action": "cut", "rate": 0.15, "when": "either"},
        seed=seed,
    )  # fmt: skip
    for _ in range(5):
        good, _ = registrar.run(prove="none")
        if good:
            break
    registrar.double.faults()
    assert good
    assert others_are_done(registrar)
    assert registrar.double.gaps() == []
