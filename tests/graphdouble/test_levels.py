"""The three levels of registration, the handshake, and where messages go."""

from __future__ import annotations

import socket
import ssl

import pytest

from graphdouble.client import DoubleClient
from tests.graphdouble.meta import VERIFY, Meta
from tests.graphdouble.receiver import Receiver, receiving


def succeeded(answer: object) -> bool:
    document = getattr(answer, "document", {})
    return getattr(answer, "status", 0) == 200 and document.get("success") in (True, "true")


def test_the_apps_webhook_is_set_after_a_handshake(meta: Meta, receiver: Receiver) -> None:
    assert succeeded(meta.subscribe_app(receiver.url(), "messages,account_update"))
    assert receiver.handshakes["/webhook"] == 1
    read = meta.call("GET", f"{meta.app_id}/subscriptions", token=meta.app_token)
    assert read.document == {
        "data": [
            {
                "object": "whatsapp_business_account",
                "callback_url": receiver.url(),
                "active": True,
                "fields": [
                    {"name": "messages", "version": "v25.0"},
                    {"name": "account_update", "version": "v25.0"},
                ],
            }
        ]
    }


def test_fields_are_unsubscribed_one_by_one_or_at_once(meta: Meta, receiver: Receiver) -> None:
    path = f"{meta.app_id}/subscriptions"
    meta.subscribe_app(receiver.url(), "messages,account_update")
    assert succeeded(meta.call("DELETE", path, token=meta.app_token, fields="account_update"))
    [left] = meta.call("GET", path, token=meta.app_token).document["data"]
    assert [field["name"] for field in left["fields"]] == ["messages"]
    assert succeeded(meta.call("DELETE", path, token=meta.app_token))
    assert meta.call("GET", path, token=meta.app_token).document == {"data": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"callback_url": ""}, 100),
        ({"verify_token": ""}, 100),
        ({"fields": ""}, 100),
        ({"fields": "messages,dinner"}, 100),
        ({"object": "page"}, 3),
    ],
)
def test_the_apps_webhook_is_refused(
    meta: Meta, receiver: Receiver, change: dict[str, str], code: int
) -> None:
    body = {
        "object": "whatsapp_business_account",
        "callback_url": receiver.url(),
        "fields": "messages",
        "verify_token": VERIFY,
        **change,
    }
    path = f"{meta.app_id}/subscriptions"
    assert meta.call("POST", path, body, token=meta.app_token).code == code
    assert meta.call("GET", path, token=meta.app_token).document == {"data": []}
    assert not receiver.handshakes


def test_an_account_is_subscribed_overridden_and_left(meta: Meta, receiver: Receiver) -> None:
    path = f"{meta.account}/subscribed_apps"
    early = meta.override(receiver.url("early"))
    assert early.code == 100
    assert "must be subscribed" in early.message
    assert not receiver.handshakes
    assert succeeded(meta.subscribe())
    [row] = meta.call("GET", path).document["data"]
    assert row["whatsapp_business_api_data"]["id"] == meta.app_id
    assert "override_callback_uri" not in row
    assert succeeded(meta.override(receiver.url("waba")))
    assert meta.call("GET", path).document["data"][0]["override_callback_uri"] == receiver.url(
        "waba"
    )
    assert succeeded(meta.call("DELETE", path))
    assert meta.call("GET", path).document["data"] == []


def test_a_bare_post_clears_the_override(meta: Meta, receiver: Receiver) -> None:
    meta.subscribe()
    meta.override(receiver.url("waba"))
    assert succeeded(meta.subscribe())
    [row] = meta.call("GET", f"{meta.account}/subscribed_apps").document["data"]
    assert "override_callback_uri" not in row


def test_a_number_has_its_own_override_and_an_empty_url_clears_it(
    meta: Meta, receiver: Receiver
) -> None:
    assert meta.override_number(receiver.url("phone")).code == 100
    meta.subscribe_app(receiver.url("app"))
    meta.subscribe()
    meta.override(receiver.url("waba"))
    assert succeeded(meta.override_number(receiver.url("phone")))
    assert meta.configuration() == {
        "phone_number": receiver.url("phone"),
        "whatsapp_business_account": receiver.url("waba"),
        "application": receiver.url("app"),
    }
    cleared = {"webhook_configuration": {"override_callback_uri": ""}}
    assert succeeded(meta.call("POST", meta.number, cleared))
    assert "phone_number" not in meta.configuration()
    rows = meta.call("GET", f"{meta.account}/phone_numbers").document["data"]
    assert [row["id"] for row in rows] == meta.tenants[0]["numbers"]
    assert rows[0]["webhook_configuration"]["application"] == receiver.url("app")


def test_the_route_is_the_numbers_else_the_accounts_else_the_apps(
    meta: Meta, receiver: Receiver, double: DoubleClient
) -> None:
    first, second = meta.tenants[0]["numbers"]

    def routes() -> tuple[str | None, str | None]:
        found = double.routes()
        return found[first], found[second]

    assert routes() == (None, None)
    meta.subscribe_app(receiver.url("app"))
    assert routes() == (None, None)
    meta.subscribe()
    assert routes() == (receiver.url("app"), receiver.url("app"))
    meta.override(receiver.url("waba"))
    assert routes() == (receiver.url("waba"), receiver.url("waba"))
    meta.override_number(receiver.url("phone"))
    assert routes() == (receiver.url("phone"), receiver.url("waba"))
    meta.subscribe_app(receiver.url("app"), "account_update")
    assert routes() == (None, None)
    assert double.routes()[meta.tenants[1]["numbers"][0]] is None


def test_other_apps_keep_what_they_have(
    meta: Meta, double: DoubleClient, receiver: Receiver
) -> None:
    foreign = double.foreign_app([meta.account], override="https://127.0.0.9/foreign")
    meta.subscribe()
    meta.override(receiver.url("waba"))
    rows = meta.call("GET", f"{meta.account}/subscribed_apps").document["data"]
    found = {
        row["whatsapp_business_api_data"]["id"]: row.get("override_callback_uri") for row in rows
    }
    assert found == {foreign["id"]: "https://127.0.0.9/foreign", meta.app_id: receiver.url("waba")}
    meta.call("DELETE", f"{meta.account}/subscribed_apps")
    state = double.state(meta.account)["accounts"][meta.account]
    assert state["subscribed_apps"] == {foreign["id"]: "https://127.0.0.9/foreign"}


def test_a_failed_handshake_changes_nothing(meta: Meta, receiver: Receiver) -> None:
    meta.subscribe()
    meta.override(receiver.url("old"))
    attempts = []
    attempts.append(meta.override(receiver.url("new"), verify="another-token"))
    receiver.status = 500
    attempts.append(meta.override(receiver.url("new")))
    receiver.status, receiver.echo = 200, '"quoted"'
    attempts.append(meta.override(receiver.url("new")))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        attempts.append(meta.override(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
    assert [answer.code for answer in attempts] == [2200] * 4
    assert [answer.status for answer in attempts] == [400] * 4
    assert "HTTP Status Code = 403" in attempts[0].message
    assert "HTTP Status Code = 500" in attempts[1].message
    assert "does not match challenge" in attempts[2].message
    assert "curl_errno = 7" in attempts[3].message
    assert meta.configuration() == {"whatsapp_business_account": receiver.url("old")}


def test_a_slow_callback_fails_its_handshake(
    meta: Meta, receiver: Receiver, double: DoubleClient
) -> None:
    double.settings(handshake_seconds=0.1)
    receiver.delay = 1.0
    answer = meta.subscribe_app(receiver.url())
    assert (answer.code, "curl_errno = 28" in answer.message) == (2200, True)


def test_only_loopback_is_called_and_only_https_is_taken(meta: Meta, double: DoubleClient) -> None:
    outside = meta.subscribe_app("https://93.184.216.34/webhook")
    assert (outside.status, outside.code) == (501, 3)
    assert "outside of loopback" in outside.message
    assert meta.subscribe_app("https://example.com/webhook").status == 501
    assert meta.subscribe_app("ftp://127.0.0.1/").code == 100
    assert meta.subscribe_app("http://127.0.0.1/" + 200 * "a").code == 100
    double.settings(allow_http=False)
    assert "https" in meta.subscribe_app("http://127.0.0.1/webhook").message
    assert double.call("GET", "health")["handshakes"] == 0


def test_certificates_are_checked(
    meta: Meta, double: DoubleClient, server_tls: ssl.SSLContext
) -> None:
    double.settings(allow_http=False, hosts={"hooks.test": "127.0.0.1", "other.test": "127.0.0.1"})
    with receiving(tls=server_tls, secret=meta.secret) as receiver:
        port = receiver.base.rsplit(":", 1)[1]
        assert succeeded(meta.subscribe_app(receiver.url()))
        assert succeeded(meta.subscribe_app(f"https://hooks.test:{port}/webhook"))
        wrong = meta.subscribe_app(f"https://other.test:{port}/webhook")
    assert (wrong.code, "curl_errno = 60" in wrong.message) == (2200, True)


def test_what_is_not_reproduced_is_refused_as_such(meta: Meta) -> None:
    calls = [
        ("GET", f"{meta.account}/message_templates", None),
        ("GET", meta.account, None),
        ("POST", meta.number, {"messaging_product": "whatsapp"}),
        ("DELETE", meta.number, None),
        ("POST", f"{meta.account}/phone_numbers", {}),
        ("GET", f"{meta.app_id}/roles", None),
    ]
    for method, path, body in calls:
        answer = meta.call(method, path, body)
        assert (answer.status, answer.document["error"]["type"]) == (501, "NotReproduced"), path


def test_an_unknown_field_of_a_number_is_refused(meta: Meta) -> None:
    answer = meta.call("GET", meta.number, fields="id,colour")
    assert (answer.code, "nonexisting field (colour)" in answer.message) == (100, True)
