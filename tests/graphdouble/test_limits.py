"""Rate limits, their headers, and paging."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from graphdouble.client import DoubleClient
from graphdouble.errors import GraphError
from graphdouble.limits import HOUR, RollingHour
from graphdouble.paging import page
from tests.graphdouble.meta import Answer, Meta


def test_calls_leave_the_hour_they_were_made_in() -> None:
    hour = RollingHour()
    assert [hour.count("app", 2, now).exceeded for now in (0.0, 10.0, 20.0)] == [False, False, True]
    assert not hour.count("other", 2, 20.0).exceeded
    # The refused call of second 20 counts too: only two are left of an hour before.
    usage = hour.count("app", 2, HOUR + 15.0)
    assert (usage.percent, usage.exceeded) == (100, False)


def test_the_time_to_regain_access_is_true() -> None:
    hour = RollingHour()
    for now in (0.0, 60.0, 120.0):
        usage = hour.count("app", 2, now)
    # A third call is right once those of 0 and 60 are gone: 3,660 is 59 minutes after 120.
    assert (usage.exceeded, usage.regain_minutes) == (True, 59)
    assert not hour.count("app", 2, 120.0 + 59 * 60).exceeded


def read(meta: Meta, tenant: int = 0) -> Answer:
    chosen = meta.tenants[tenant]
    return meta.call("GET", f"{chosen['account_id']}/subscribed_apps", token=chosen["token"])


@pytest.mark.parametrize(("code", "status"), [(80008, 400), (80007, 429)])
def test_an_accounts_limit(meta: Meta, double: DoubleClient, code: int, status: int) -> None:
    double.settings(account_calls_per_hour=3, account_limit_code=code, limit_status=status)
    assert [read(meta).status for _ in range(3)] == [200, 200, 200]
    over = read(meta)
    assert (over.status, over.code, over.document["error"]["is_transient"]) == (status, code, True)
    [usage] = json.loads(over.headers["x-business-use-case-usage"])[meta.account]
    assert usage["call_count"] == 133
    assert usage["estimated_time_to_regain_access"] == 60
    assert read(meta, tenant=1).status == 200


def test_an_apps_limit(meta: Meta, double: DoubleClient) -> None:
    double.settings(app_calls_per_hour=3)
    answers = [read(meta, tenant=k % 2) for k in range(4)]
    assert [answer.code for answer in answers] == [0, 0, 0, 4]
    assert json.loads(answers[1].headers["x-app-usage"])["call_count"] == 66
    assert meta.call("GET", f"{meta.app_id}/subscriptions", token=meta.app_token).code == 4


def test_metas_own_limits_and_the_faster_clock(meta: Meta, double: DoubleClient) -> None:
    # 5,000 calls an hour for the account: 1 % is used after 50, and only then told.
    answers = [read(meta) for _ in range(50)]
    assert "x-business-use-case-usage" not in answers[48].headers
    assert "x-business-use-case-usage" in answers[49].headers
    # At this speed an hour passes in less than 0.04 seconds.
    double.settings(account_calls_per_hour=1, speed=100000.0)
    assert [read(meta).status for _ in range(5)].count(200) >= 1
    double.settings(speed=1.0)
    assert [read(meta).status for _ in range(3)] == [200, 400, 400]


def test_pages_follow_their_cursors() -> None:
    rows = [(str(k), {"id": str(k)}) for k in range(5)]
    seen: list[str] = []
    parameters: dict[str, str] = {"limit": "2", "fields": "id"}
    for _ in range(3):
        document = page(rows, parameters, "http://127.0.0.1/v25.0/1/x", 25)
        seen += [row["id"] for row in document["data"]]
        following = document["paging"].get("next")
        if following is None:
            break
        parameters = {k: v[0] for k, v in parse_qs(urlsplit(following).query).items()}
        assert parameters["fields"] == "id"
    assert seen == ["0", "1", "2", "3", "4"]
    back = page(rows, {"before": document["paging"]["cursors"]["before"], "limit": "3"}, "", 25)
    assert [row["id"] for row in back["data"]] == ["1", "2", "3"]


@pytest.mark.parametrize("parameters", [{"limit": "x"}, {"limit": "0"}, {"after": "gone"}])
def test_a_page_that_is_none(parameters: dict[str, str]) -> None:
    with pytest.raises(GraphError) as refused:
        page([("1", {})], parameters, "", 25)
    assert refused.value.code == 100


def test_edges_are_paged(meta: Meta, double: DoubleClient) -> None:
    double.settings(page_size=1)
    first = meta.call("GET", f"{meta.account}/phone_numbers")
    assert [row["id"] for row in first.document["data"]] == [meta.tenants[0]["numbers"][0]]
    following = urlsplit(first.document["paging"]["next"])
    assert "access_token" not in following.query
    assert f"{following.scheme}://{following.netloc}" == double.endpoint
    after = {k: v[0] for k, v in parse_qs(following.query).items()}
    second = meta.call("GET", f"{meta.account}/phone_numbers", **after)
    assert [row["id"] for row in second.document["data"]] == [meta.tenants[0]["numbers"][1]]
    assert "next" not in second.document["paging"]
