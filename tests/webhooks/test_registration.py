from __future__ import annotations

import json
from typing import Any

import pytest

from tests.webhooks.harness import VERIFY_TOKEN, Registrar

OLD = "old"


def all_at(registrar: Registrar, url: str) -> bool:
    return set(registrar.routes().values()) == {url}


def overrides(registrar: Registrar) -> dict[str, str]:
    """Override of each account by its id."""
    return {
        account: registrar.double.state(account)["accounts"][account]["subscribed_apps"].get(
            registrar.app_id
        )
        for account in registrar.accounts.values()
    }


def noted(registrar: Registrar) -> dict[str, Any]:
    """What is remembered of the registration."""
    found: dict[str, Any] = json.loads(registrar.cloud.objects["webhooks/registered.json"])
    return found


def test_a_first_registration_is_read_back_proven_noted_and_needs_no_second(
    registrar: Registrar,
) -> None:
    answer = registrar.begun()
    assert answer["verdict"] == "REGISTERED"
    assert answer["changed"]
    assert all_at(registrar, registrar.url)
    assert len(registrar.receiver.numbers) == 8, "each number is proven"
    note = json.loads(registrar.cloud.objects["webhooks/registered.json"])
    assert (note["complete"], note["url"], note["graph_version"]) == (True, registrar.url, "v26.0")
    registrar.double.clear_calls()
    before = dict(registrar.cloud.objects)
    again = registrar.begun()
    assert (again["verdict"], again["changed"], again["writes"]) == ("UNCHANGED", False, 0)
    assert registrar.written() == []
    assert registrar.cloud.objects == before
    assert len(registrar.double.calls()) == 9, "one call for the app, two for each tenant"


def test_check_mode_says_what_a_run_writes_and_writes_nothing(registrar: Registrar) -> None:
    good, answer = registrar.run(check_mode=True)
    assert good
    assert answer["verdict"] == "PREDICTED"
    assert registrar.written() == []
    assert registrar.cloud.objects == {}
    predicted = answer["writes"]
    assert len(answer["reasons"]) == predicted
    registrar.begun()
    kinds = [call["kind"] for call in registrar.written() if call["took_effect"]]
    assert len(kinds) == predicted
    good, answer = registrar.run(check_mode=True)
    assert (good, answer["verdict"], answer["changed"]) == (True, "UNCHANGED", False)


@pytest.mark.parametrize("level", ["account", "number", "app"])
def test_a_change_of_url_leaves_no_gap_and_comes_back(registrar: Registrar, level: str) -> None:
    old = registrar.receiver.url(OLD)
    registrar.begun(callback_url=old, level=level)
    state = registrar.routes()
    registrar.double.watch(old, registrar.url)
    answer = registrar.begun(level=level)
    assert all_at(registrar, registrar.url)
    assert registrar.double.gaps() == []
    back = registrar.begun(level=level, restore=answer["kept"])
    assert back["verdict"] == "RESTORED"
    assert registrar.routes() == state
    assert registrar.double.gaps() == []


@pytest.mark.parametrize("old", ["account", "number", "app"])
@pytest.mark.parametrize("new", ["account", "number", "app"])
def test_a_change_of_level_leaves_no_gap(registrar: Registrar, old: str, new: str) -> None:
    registrar.begun(level=old)
    registrar.double.watch(registrar.url)
    registrar.begun(level=new)
    assert registrar.double.gaps() == []
    assert {row["level"] for row in registrar.begun(level=new)["routes"]} == {new}


def test_a_change_of_one_tenant_writes_that_one(registrar: Registrar) -> None:
    registrar.begun()
    registrar.double.clear_calls()
    registrar.rows[2]["url"] = registrar.receiver.url("other")
    registrar.begun()
    assert {call["object_id"] for call in registrar.written()} == {registrar.accounts["t2"]}
    assert registrar.routes()[registrar.numbers["t2"][0]] == registrar.receiver.url("other")


def test_a_number_that_somebody_sent_elsewhere_comes_back(registrar: Registrar) -> None:
    registrar.begun()
    registrar.double.out_of_band("https://127.0.0.1:1/x", number=registrar.numbers["t1"][0])
    registrar.double.clear_calls()
    registrar.begun()
    assert all_at(registrar, registrar.url)
    assert [call["object_id"] for call in registrar.written()] == [registrar.numbers["t1"][0]]
    before = dict(registrar.cloud.objects)
    assert json.loads(before["webhooks/registered.json"])["complete"]
    assert registrar.begun()["verdict"] == "UNCHANGED"
    assert registrar.cloud.objects == before


def test_a_new_verify_token_is_registered_everywhere_once(registrar: Registrar) -> None:
    registrar.begun()
    registrar.receiver.verify_tokens = {"new-verify-token", VERIFY_TOKEN}
    registrar.set_app(f"new-verify-token {VERIFY_TOKEN}")
    registrar.double.clear_calls()
    registrar.double.watch(registrar.url)
    assert registrar.begun(token_version="2")["verdict"] == "REGISTERED"
    assert len(registrar.written()) == 5
    assert registrar.double.gaps() == []
    registrar.receiver.verify_tokens = {"new-verify-token"}
    registrar.set_app("new-verify-token")
    registrar.double.clear_calls()
    assert registrar.begun(token_version="2")["verdict"] == "UNCHANGED"
    assert registrar.written() == []


def test_a_run_for_one_tenant_forgets_nobodys_token(registrar: Registrar) -> None:
    """With a list that is not all of them: who has the former token is still known, and registered next."""
    registrar.begun()
    before = noted(registrar)
    registrar.receiver.verify_tokens = {"new-verify-token", VERIFY_TOKEN}
    registrar.set_app(f"new-verify-token {VERIFY_TOKEN}")
    path = registrar.folder / "one.json"
    path.write_text(json.dumps(registrar.rows[1:2]))
    some = {"file": str(path), "partial": True}
    assert registrar.begun(token_version="2", tenants=some)["verdict"] == "REGISTERED"
    after = noted(registrar)
    assert set(after["marks"]) == set(before["marks"])
    new = {name for name, mark in after["marks"].items() if mark != before["marks"][name]}
    assert new == {"", "t1"}
    assert (before["complete"], after["complete"]) == (True, False)
    assert registrar.begun(token_version="2", tenants=some)["verdict"] == "UNCHANGED"
    assert noted(registrar) == after
    registrar.double.clear_calls()
    assert registrar.begun(token_version="2")["verdict"] == "REGISTERED"
    written = {call["object_id"] for call in registrar.written()}
    assert registrar.accounts["t1"] not in written
    assert {registrar.accounts["t0"], registrar.accounts["t2"]} <= written
    end = noted(registrar)
    assert end["complete"]
    assert len(set(end["marks"].values())) == 1


def test_a_token_that_the_application_does_not_take_yet_stops_before_any_write(
    registrar: Registrar,
) -> None:
    registrar.set_app(f"new-verify-token {VERIFY_TOKEN}")
    good, answer = registrar.run()
    assert not good
    assert "does not answer Meta's handshake" in answer["msg"]
    assert registrar.written() == []
    assert registrar.cloud.objects == {}


def test_the_reading_half_hands_over_to_the_writing_half(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYO_RUN_FOLDER", str(registrar.folder))
    first = registrar.begun(begin=True)
    assert first["pending"]
    assert registrar.written() == []
    registrar.double.clear_calls()
    registrar.begun(prove="none", consistency_timeout=0.0)
    assert registrar.double.calls()[0]["kind"] == "write", "it was read a second time"
    assert not registrar.begun(begin=True)["pending"]


def test_a_field_that_somebody_else_has_asked_for_stays(registrar: Registrar) -> None:
    registrar.begun(fields=["messages", "account_update"])
    registrar.begun(fields=["messages"], callback_url=registrar.receiver.url(OLD))
    fields = registrar.double.state()["apps"][registrar.app_id]["fields"]
    assert set(fields) == {"messages", "account_update"}


def test_restore_takes_the_last_state_before_a_change_also_after_a_second_run(
    registrar: Registrar,
) -> None:
    old = registrar.receiver.url(OLD)
    registrar.begun(callback_url=old)
    registrar.double.tokens(registrar.accounts["t3"], state="expired")
    assert not registrar.run()[0]
    registrar.double.tokens(registrar.accounts["t3"], state="valid")
    registrar.begun()
    assert all_at(registrar, registrar.url)
    registrar.begun(restore="last")
    assert all_at(registrar, old), "last is the middle of the change"


def test_what_is_restored_is_left_alone_by_a_deploy(registrar: Registrar) -> None:
    registrar.begun(callback_url=registrar.receiver.url(OLD))
    key = registrar.begun()["kept"]
    registrar.begun(restore="last")
    note = json.loads(registrar.cloud.objects["webhooks/registered.json"])
    assert (note["restored"], note["restoring"]) == (key, False)


def test_a_record_of_another_app_is_not_restored(registrar: Registrar) -> None:
    key = registrar.begun()["kept"]
    content: dict[str, Any] = json.loads(registrar.cloud.objects[key])
    registrar.cloud.objects[key] = json.dumps({**content, "app_id": "1"}).encode()
    good, answer = registrar.run(restore=key)
    assert not good
    assert "is of app 1" in answer["msg"]


def test_reads_that_lag_behind_clear_no_override(registrar: Registrar) -> None:
    registrar.begun()
    registrar.double.settings(lag=30.0, stale_rate=1.0)
    registrar.double.watch(registrar.url)
    registrar.run(consistency_timeout=0.0, prove="none")
    assert registrar.double.gaps() == []
    registrar.double.settings(lag=0.0)
    assert all(value == registrar.url for value in overrides(registrar).values())


def test_what_is_written_is_read_back_although_reads_lag(registrar: Registrar) -> None:
    registrar.begun(callback_url=registrar.receiver.url(OLD))
    registrar.double.settings(lag=1.5, stale_rate=1.0)
    assert registrar.begun()["verdict"] == "REGISTERED"
    assert all_at(registrar, registrar.url)
