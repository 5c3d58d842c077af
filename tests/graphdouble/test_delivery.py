"""Messages along the routes, and the record of times without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from graphdouble.client import DoubleClient
from tests.graphdouble.meta import Meta
from tests.graphdouble.receiver import Receiver


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is on its way."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def registered(meta: Meta, receiver: Receiver) -> None:
    meta.subscribe_app(receiver.url("app"))
    for tenant in meta.tenants:
        meta.subscribe(tenant["account_id"], tenant["token"])


def test_messages_are_signed_and_follow_the_routes(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    registered(meta, receiver)
    meta.override(receiver.url("waba"))
    meta.override_number(receiver.url("phone"))
    double.deliver(rate=200)
    until(lambda: double.delivered()["delivered"] >= 40)
    report = double.stop_delivery()
    assert report["lost"] == report["pending"] == report["refused"] == 0
    assert report["sent"] == report["delivered"] == len(receiver.messages)
    assert receiver.bad_signatures == 0
    assert set(receiver.messages.values()) == {1}
    quarter = report["sent"] // 4
    assert receiver.paths["/phone"] >= quarter
    assert receiver.paths["/waba"] >= quarter
    assert receiver.paths["/app"] >= 2 * quarter


def test_a_wrong_secret_is_seen_by_the_receiver(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    registered(meta, receiver)
    receiver.secret = "another"
    double.deliver(rate=100, retries=[])
    until(lambda: double.delivered()["lost"] >= 5)
    report = double.stop_delivery()
    assert report["delivered"] == 0
    assert report["refused_by_status"] == {"401": report["sent"]}


def test_a_refused_message_comes_again_until_it_is_taken(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    registered(meta, receiver)
    receiver.status = 503
    double.deliver(rate=50, retries=[0.05] * 200)
    until(lambda: double.delivered()["refused"] >= 10)
    receiver.status = 200
    report = double.stop_delivery()
    assert (report["lost"], report["pending"]) == (0, 0)
    assert report["delivered"] == report["sent"] == len(receiver.messages)


def test_a_message_without_a_route_waits_and_is_given_up(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    # Delays are of the double's clock: 600 seconds pass in 0.6.
    double.settings(speed=1000.0)
    double.deliver(rate=20, retries=[0.0, 600.0])
    until(lambda: double.delivered()["lost"] >= 3)
    registered(meta, receiver)
    sent = double.delivered()["sent"]
    until(lambda: double.delivered()["sent"] >= sent + 5)
    report = double.stop_delivery()
    assert report["unrouted"] >= 9
    assert report["sent"] == report["delivered"] + report["lost"]
    assert report["delivered"] >= 5


def test_at_least_once_means_more_than_once(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    registered(meta, receiver)
    double.deliver(rate=100, duplicates=1.0)
    until(lambda: double.delivered()["duplicates"] >= 10)
    report = double.stop_delivery()
    assert report["duplicates"] == report["delivered"]
    assert set(receiver.messages.values()) == {2}


@pytest.mark.parametrize("plan", [{"rate": 0}, {"speed": 3}, {"numbers": ["12"]}])
def test_a_delivery_that_is_none(meta: Meta, double: DoubleClient, plan: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"rate|speed|12"):
        double.deliver(**plan)


def test_every_time_without_a_valid_route_is_recorded(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    registered(meta, receiver)
    for tenant in meta.tenants:
        body = {"override_callback_uri": receiver.url("new"), "verify_token": meta_verify()}
        meta.call("POST", f"{tenant['account_id']}/subscribed_apps", body, token=tenant["token"])
    double.watch(receiver.url("new"))
    assert double.gaps() == []
    meta.subscribe()
    meta.override(receiver.url("other"))
    meta.override(receiver.url("new"))
    gaps = double.gaps()
    numbers = meta.tenants[0]["numbers"]
    assert [(gap["phone_number_id"], gap["route"]) for gap in gaps] == [
        (number, receiver.url(path)) for path in ("app", "other") for number in numbers
    ]
    for gap in gaps:
        assert datetime.fromisoformat(gap["since"]) < datetime.fromisoformat(gap["until"])
    # One ends where the next begins.
    assert gaps[0]["until"] == gaps[2]["since"]


def meta_verify() -> str:
    return "verify-token-of-the-tests"


def test_a_gap_lasts_until_a_valid_route(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    registered(meta, receiver)
    double.watch(receiver.url("app"), receiver.url("phone"), accounts=[meta.account])
    assert double.gaps() == []
    meta.call("DELETE", f"{meta.app_id}/subscriptions", token=meta.app_token)
    gaps = double.gaps()
    assert [(gap["account_id"], gap["route"], gap["until"]) for gap in gaps] == [
        (meta.account, None, None)
    ] * 2
    meta.subscribe_app(receiver.url("app"))
    assert all(gap["until"] for gap in double.gaps())
    assert double.out_of_band(None, accounts=[meta.account]) == 2
    assert len(double.gaps()) == 4
    double.out_of_band("", account=meta.account)
    double.out_of_band(receiver.url("phone"), number=meta.number)
    gaps = double.gaps()
    assert len(gaps) == 4
    assert all(gap["until"] for gap in gaps)
    double.out_of_band(receiver.url("elsewhere"), fields=["messages"])
    assert {gap["route"] for gap in double.gaps()[4:]} == {receiver.url("elsewhere")}
    assert meta.configuration()["application"] == receiver.url("elsewhere")
