"""Who may call: tokens, proofs, permissions, versions."""

from __future__ import annotations

from datetime import date

import pytest

from graphdouble import versions
from graphdouble.auth import proof
from graphdouble.client import DoubleClient
from graphdouble.errors import GraphError
from tests.graphdouble.meta import Meta


def read(meta: Meta, **options: object) -> tuple[int, int, int]:
    """HTTP status, code and subcode of a read of the first account."""
    answer = meta.call("GET", f"{meta.account}/subscribed_apps", **options)  # type: ignore[arg-type]
    return answer.status, answer.code, answer.subcode


def test_a_token_is_taken_from_header_or_query(meta: Meta) -> None:
    assert read(meta) == (200, 0, 0)
    signed = proof(meta.secret, meta.token)
    assert read(meta, token="", access_token=meta.token, appsecret_proof=signed) == (200, 0, 0)


def test_a_call_without_or_with_an_unknown_token(meta: Meta) -> None:
    assert read(meta, token="") == (400, 104, 0)
    assert read(meta, token="EAAunknown") == (401, 190, 0)
    assert read(meta, token=f"{meta.app_id}|wrong") == (401, 190, 0)


@pytest.mark.parametrize(
    ("state", "subcode"),
    [("expired", 463), ("password_changed", 460), ("invalidated", 467), ("app_removed", 458)],
)
def test_a_token_that_is_none_any_more(
    meta: Meta, double: DoubleClient, state: str, subcode: int
) -> None:
    double.tokens(meta.account, state=state)
    assert read(meta) == (401, 190, subcode)
    assert meta.call("GET", meta.tenants[1]["numbers"][0], token=meta.tenants[1]["token"]).code == 0


def test_a_missing_permission(meta: Meta, double: DoubleClient) -> None:
    double.tokens(meta.account, management=False)
    assert read(meta) == (403, 200, 0)
    double.tokens(meta.account, missing_code=10)
    assert read(meta) == (403, 10, 0)
    double.tokens(meta.account, management=True)
    assert read(meta) == (200, 0, 0)


def test_what_is_absent_and_what_is_anothers_look_alike(meta: Meta) -> None:
    other = meta.tenants[1]
    assert meta.call("GET", f"{other['account_id']}/subscribed_apps").subcode == 33
    assert meta.call("GET", "12345/subscribed_apps").subcode == 33
    assert meta.call("POST", other["numbers"][0], {"webhook_configuration": {}}).subcode == 33
    unknown = meta.call("GET", "12345")
    assert (unknown.status, unknown.code, unknown.subcode) == (400, 100, 33)
    assert unknown.document["error"]["type"] == "GraphMethodException"


def test_the_proof_is_asked_for_and_checked(meta: Meta) -> None:
    missing = meta.call("GET", meta.number, prove=False)
    assert (missing.status, missing.code) == (400, 100)
    assert "require an appsecret_proof" in missing.message
    wrong = meta.call("GET", meta.number, appsecret_proof=proof("another secret", meta.token))
    assert (wrong.status, wrong.code) == (400, 100)
    assert "Invalid appsecret_proof" in wrong.message


def test_an_app_may_do_without_proofs(double: DoubleClient) -> None:
    meta = Meta(double, double.seed(1, proof_required=False))
    assert meta.call("GET", meta.number, prove=False).status == 200
    assert meta.call("GET", meta.number, appsecret_proof="0" * 64).code == 100


def test_an_apps_webhook_needs_its_own_app_token(meta: Meta, double: DoubleClient) -> None:
    foreign = double.foreign_app()
    path = f"{meta.app_id}/subscriptions"
    assert meta.call("GET", path).code == 15
    token = f"{foreign['id']}|{foreign['secret']}"
    assert meta.call("GET", path, token=token, prove=False).subcode == 33
    assert meta.call("GET", path, token=meta.app_token).status == 200
    assert meta.call("GET", meta.number, token=meta.app_token).subcode == 33


def test_versions_end_on_their_day() -> None:
    assert versions.serving("v21.0", date(2027, 1, 20)) == "v21.0"
    assert versions.serving("v21.0", date(2027, 1, 21)) == "v22.0"
    assert versions.serving("v26.0", date(2030, 1, 1)) == "v26.0"
    with pytest.raises(GraphError) as unknown:
        versions.serving("v99.0", date(2027, 1, 1))
    assert unknown.value.code == 2500
    with pytest.raises(GraphError):
        versions.serving("v26.0", date(2026, 7, 28))


def test_an_ended_version_is_answered_by_the_oldest_usable_one(
    meta: Meta, double: DoubleClient
) -> None:
    double.settings(today="2027-03-01")
    answer = meta.call("GET", meta.number, version="v21.0")
    assert (answer.status, answer.headers["facebook-api-version"]) == (200, "v22.0")
    assert meta.call("GET", meta.number, version="v27.0").code == 2500
    assert meta.call("GET", meta.number, version="latest").status == 501
