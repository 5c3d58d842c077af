"""Failures on purpose: lag, faults, cut and held calls, forms of success."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import pytest

from graphdouble.client import DoubleClient
from graphdouble.faults import Faults, parse
from tests.graphdouble.meta import Meta
from tests.graphdouble.receiver import Receiver


def subscribed(double: DoubleClient, meta: Meta) -> bool:
    state = double.state(meta.account)["accounts"][meta.account]
    return meta.app_id in state["subscribed_apps"]


def test_reads_may_lag_behind_writes_routes_do_not(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    meta.subscribe_app(receiver.url("app"))
    meta.subscribe()
    double.settings(lag=60.0)
    meta.override(receiver.url("waba"))
    assert meta.configuration() == {}
    assert meta.call("GET", f"{meta.account}/subscribed_apps").document["data"] == []
    assert set(double.routes().values()) >= {receiver.url("waba")}
    double.settings(stale_rate=0.0)
    assert meta.configuration()["whatsapp_business_account"] == receiver.url("waba")
    double.settings(stale_rate=1.0, lag=0.0)
    assert meta.configuration()["whatsapp_business_account"] == receiver.url("waba")


def test_a_share_of_the_reads_is_stale(meta: Meta, double: DoubleClient) -> None:
    double.settings(lag=60.0, stale_rate=0.5)
    meta.subscribe()
    path = f"{meta.account}/subscribed_apps"
    fresh = [bool(meta.call("GET", path).document["data"]) for _ in range(40)]
    assert 5 < fresh.count(True) < 35


def test_success_has_two_forms(meta: Meta, double: DoubleClient) -> None:
    forms = {repr(meta.subscribe().document["success"]) for _ in range(20)}
    assert forms == {"True", "'true'"}
    for form, value in (("boolean", True), ("string", "true")):
        double.settings(success=form)
        assert [meta.subscribe().document["success"] for _ in range(5)] == [value] * 5


def test_errors_are_transient_and_come_in_three_kinds(meta: Meta, double: DoubleClient) -> None:
    double.faults({"action": "error", "kind": "read"})
    answers = [meta.call("GET", meta.number) for _ in range(30)]
    assert {(a.status, a.code) for a in answers} == {(500, 1), (503, 2), (502, 0)}
    assert all(a.document["error"]["is_transient"] for a in answers if a.code)
    assert meta.subscribe().status == 200
    assert double.fired() == {"error before": 30}


def test_an_error_may_hide_that_a_write_took_effect(meta: Meta, double: DoubleClient) -> None:
    double.faults({"action": "error", "when": "before"})
    assert meta.subscribe().status >= 500
    assert not subscribed(double, meta)
    double.faults({"action": "error", "when": "after"})
    assert meta.subscribe().status >= 500
    assert subscribed(double, meta)
    assert [c["took_effect"] for c in double.calls(writes=True)] == [False, True]


def test_throttling_out_of_the_blue(meta: Meta, double: DoubleClient) -> None:
    double.faults({"action": "throttle"})
    answers = {(a.status, a.code) for a in (meta.call("GET", meta.number) for _ in range(20))}
    assert answers == {(429, 4), (429, 80008)}


@pytest.mark.parametrize(("when", "effect"), [("before", False), ("after", True)])
def test_a_cut_connection(meta: Meta, double: DoubleClient, when: str, effect: bool) -> None:
    double.faults({"action": "cut", "when": when})
    with pytest.raises((http.client.HTTPException, OSError)):
        meta.subscribe()
    assert subscribed(double, meta) is effect
    [call] = double.calls(writes=True)
    assert (call["status"], call["took_effect"], call["fault"]) == (0, effect, f"cut {when}")


def test_a_held_call_is_let_go_or_dropped(meta: Meta, double: DoubleClient) -> None:
    double.faults({"action": "hold", "when": "after", "kind": "write", "nth": 2})
    assert meta.subscribe().status == 200
    outcome: list[Any] = []

    def second() -> None:
        try:
            outcome.append(meta.call("DELETE", f"{meta.account}/subscribed_apps").status)
        except (http.client.HTTPException, OSError):
            outcome.append("cut")

    for drop, expected in ((False, 200), (True, "cut")):
        thread = threading.Thread(target=second)
        thread.start()
        assert double.wait_held() == ["DELETE /{waba-id}/subscribed_apps"]
        assert not subscribed(double, meta)
        assert double.release(drop=drop) == 1
        thread.join(10)
        assert outcome.pop() == expected
        double.faults({"action": "hold", "when": "after", "kind": "write", "nth": 1})


def test_a_refusal_can_be_lost_too(meta: Meta, double: DoubleClient) -> None:
    double.faults({"action": "cut", "when": "after"})
    with pytest.raises((http.client.HTTPException, OSError)):
        meta.override("http://127.0.0.1:1/")
    [call] = double.calls()
    assert (call["status"], call["code"], call["took_effect"]) == (0, 100, False)


def test_slow_answers_and_latency(meta: Meta, double: DoubleClient) -> None:
    double.settings(latency=0.05)
    double.faults({"action": "slow", "seconds": 0.1, "operation": "GET /{phone-number-id}"})
    meta.call("GET", meta.number)
    meta.subscribe()
    slow, usual = double.calls()
    assert slow["milliseconds"] >= 150
    assert usual["milliseconds"] >= 50


def drawn(seed: int, order: list[str]) -> dict[tuple[str, int], bool]:
    faults, made = Faults(), dict.fromkeys(order, 0)
    faults.set(*parse({"seed": seed, "rules": [{"action": "error", "rate": 0.3}]}))
    outcome = {}
    for call in order:
        made[call] += 1
        outcome[call, made[call]] = faults.choose(call, "GET /{waba-id}", "read") is not None
    return outcome


def test_chance_goes_by_the_call_and_not_by_the_order() -> None:
    calls = [f"GET /v25.0/{k}" for k in range(100)] * 3
    forwards, backwards = drawn(7, calls), drawn(7, calls[::-1])
    assert forwards == backwards
    assert forwards != drawn(8, calls)
    assert 50 < sum(forwards.values()) < 130


@pytest.mark.parametrize(
    "rule",
    [{"action": "explode"}, {"action": "cut", "when": "never"}, {"action": "cut", "color": 1}],
)
def test_a_schedule_that_is_none(double: DoubleClient, rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"action|when|rule"):
        double.faults(rule)
