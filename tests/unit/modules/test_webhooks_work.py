from __future__ import annotations

import threading
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_webhooks import decide as d
from ansible.module_utils.lyo_webhooks.errors import GraphError
from ansible.module_utils.lyo_webhooks.fence import Fence
from ansible.module_utils.lyo_webhooks.secrets import AppSecret
from ansible.module_utils.lyo_webhooks.state import AppFound, Found, Subscribed
from ansible.module_utils.lyo_webhooks.tenants import Tenant
from ansible.module_utils.lyo_webhooks.work import Line, Work, each

from .fakes import Clock

URL = "https://api.example/webhook"
TENANT = Tenant("da-mario", "100001", ("200001",))
APP = AppSecret("900", "app-secret", ("new-token", "old-token"))
UNSUBSCRIBED = GraphError(
    100, "(#100) Before override …, your app must be subscribed to receive messages", status=400
)


class FakeGraph:
    """Remembers writes; fails as told, by how many writes went before."""

    def __init__(self, pages: dict[str, Any] | None = None, **failing: GraphError) -> None:
        self.answers = pages or {}
        self.failing = {int(key[1:]): error for key, error in failing.items()}
        self.writes: list[tuple[str, str, str, Any]] = []

    def pages(self, path: str, *_: str, **__: str) -> list[dict[str, Any]]:
        answer = self.answers[path]
        if isinstance(answer, list) and answer and isinstance(answer[0], list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        assert isinstance(answer, list)
        return answer

    def write(self, method: str, path: str, token: str, _account: str, body: Any) -> None:
        self.writes.append((method, path, token, body))
        if len(self.writes) in self.failing:
            raise self.failing[len(self.writes)]


def work(graph: FakeGraph, clock: Clock | None = None) -> Work:
    clock = clock or Clock()
    return Work(graph, APP, {"da-mario": "EAA-token"}, clock.sleep, clock)  # type: ignore[arg-type]


SUBSCRIBE = d.Step(d.SUBSCRIBE, "100001")
OVERRIDE = d.Step(d.OVERRIDE_ACCOUNT, "100001", URL)
BODY = {"override_callback_uri": URL, "verify_token": "new-token"}
BARE = ("POST", "100001/subscribed_apps", "EAA-token", None)
WITH_URL = ("POST", "100001/subscribed_apps", "EAA-token", BODY)


def test_where_meta_has_the_app_already_no_bare_post_clears_the_override() -> None:
    graph = FakeGraph()
    work(graph).write(TENANT, [SUBSCRIBE, OVERRIDE])
    assert graph.writes == [WITH_URL]


def test_where_meta_asks_for_it_the_app_is_subscribed_first() -> None:
    graph = FakeGraph(w1=UNSUBSCRIBED)
    work(graph).write(TENANT, [SUBSCRIBE, OVERRIDE])
    assert graph.writes == [WITH_URL, BARE, WITH_URL]


def test_another_refusal_of_the_override_is_no_reason_for_a_bare_post() -> None:
    graph = FakeGraph(w1=GraphError(100, "(#100) the callback URL must be …", status=400))
    with pytest.raises(GraphError):
        work(graph).write(TENANT, [SUBSCRIBE, OVERRIDE])
    assert graph.writes == [WITH_URL]


def test_every_kind_of_write() -> None:
    graph = FakeGraph()
    work(graph).write(
        TENANT,
        [
            d.Step(d.OVERRIDE_NUMBER, "200001", URL),
            d.Step(d.CLEAR_NUMBER, "200001"),
            d.Step(d.CLEAR_ACCOUNT, "100001"),
            SUBSCRIBE,
            d.Step(d.UNSUBSCRIBE, "100001"),
        ],
    )
    assert [(method, path, body) for method, path, _, body in graph.writes] == [
        ("POST", "200001", {"webhook_configuration": BODY}),
        ("POST", "200001", {"webhook_configuration": {"override_callback_uri": ""}}),
        ("POST", "100001/subscribed_apps", None),
        ("POST", "100001/subscribed_apps", None),
        ("DELETE", "100001/subscribed_apps", None),
    ]


def test_the_app_is_written_with_its_own_token_and_the_token_to_register() -> None:
    graph = FakeGraph()
    work(graph).write_app(d.Step(d.SET_APP, "900", URL, "", ("calls", "messages")))
    body = {"object": "whatsapp_business_account", "callback_url": URL, "fields": "calls,messages",
            "verify_token": "new-token"}  # fmt: skip
    assert graph.writes == [("POST", "900/subscriptions", "900|app-secret", body)]


def apps(override: str) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"whatsapp_business_api_data": {"id": "900", "name": "Lyo"}}
    return [{**row, "override_callback_uri": override} if override else row]


NUMBERS = [{"id": "200001", "webhook_configuration": {"phone_number": "https://n.example"}},
           {"id": "999999"}]  # fmt: skip


def test_reading_an_account_takes_the_tenants_numbers_only() -> None:
    graph = FakeGraph({"100001/subscribed_apps": apps(URL), "100001/phone_numbers": NUMBERS})
    assert work(graph).read(TENANT) == Found(
        (Subscribed("900", "Lyo", URL),), {"200001": "https://n.example"}
    )


def test_reading_back_waits_until_meta_shows_what_was_written() -> None:
    clock = Clock()
    graph = FakeGraph(
        {"100001/subscribed_apps": [apps(""), apps(""), apps(URL)], "100001/phone_numbers": NUMBERS}
    )
    found, failures = work(graph, clock).read_back(
        {"da-mario": TENANT}, {"da-mario": [OVERRIDE]}, 2, 60, lambda *_: None
    )
    assert found["da-mario"].own("900") == Subscribed("900", "Lyo", URL)
    assert not failures
    assert clock.now > 0


def test_reading_back_ends_with_its_time() -> None:
    clock = Clock()
    graph = FakeGraph({"100001/subscribed_apps": apps(""), "100001/phone_numbers": NUMBERS})
    found, _ = work(graph, clock).read_back(
        {"da-mario": TENANT}, {"da-mario": [OVERRIDE]}, 2, 10, lambda *_: None
    )
    assert not d.matches([OVERRIDE], found["da-mario"], "900")
    assert 10 < clock.now < 20


def test_the_apps_subscription_is_read_until_it_shows() -> None:
    step = d.Step(d.SET_APP, "900", URL, "", ("messages",))
    row = {"object": "whatsapp_business_account", "callback_url": URL, "active": True,
           "fields": ["messages"]}  # fmt: skip
    graph = FakeGraph({"900/subscriptions": [[], [row]]})
    assert work(graph).app_read_back(step, 10) == AppFound(URL, ("messages",), True)


def test_one_failure_leaves_the_others_alone() -> None:
    def do(name: str) -> str:
        if name == "3":
            raise GraphError(190, "expired", status=401)
        return name.upper()

    said: list[str] = []
    results, failures = each("12345", do, 3, lambda text, _: said.append(text))
    assert sorted(results) == ["1", "2", "4", "5"]
    assert failures["3"].code == 190
    assert said[-1].startswith("5 of 5")
    assert "1 failed" in said[-1]


def test_a_lost_lock_ends_all_of_it() -> None:
    begun: list[str] = []
    gate = threading.Event()

    def do(name: str) -> str:
        begun.append(name)
        if len(begun) == 2:
            gate.set()
            raise AwsFailure("LockLost", "another run has taken over")
        gate.wait(5)
        return name

    with pytest.raises(AwsFailure, match="taken over"):
        each(map(str, range(100)), do, 2, lambda *_: None)
    assert len(begun) < 10


def test_a_line_of_progress() -> None:
    assert str(Line(50, 200, 3, 2.0)) == "50 of 200, 25/s, 3 failed, 6 s left"
    assert str(Line(0, 200, 0, 0.0)) == "0 of 200, 0/s, 0 failed"


class FenceAws:
    def __init__(self) -> None:
        self.checks = 0

    def check_fence(self) -> None:
        self.checks += 1


def test_the_fence_is_asked_once_a_second() -> None:
    aws, clock = FenceAws(), Clock()
    fence = Fence(aws, clock)  # type: ignore[arg-type]
    for _ in range(5):
        fence()
    clock.now = 1.5
    fence()
    assert aws.checks == 2
