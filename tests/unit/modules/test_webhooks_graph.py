from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_webhooks import errors as e
from ansible.module_utils.lyo_webhooks import graph as g
from ansible.module_utils.lyo_webhooks import rate as r

from .fakes import Clock

TOKEN = "EAA-a-long-access-token"
Answer = tuple[int, dict[str, str], Any]


def error(code: int, status: int = 400, **more: Any) -> Answer:
    return status, {}, {"error": {"message": f"(#{code}) no", "code": code, **more}}


GOOD: Answer = (200, {}, {"success": True})


class Scripted(g.Graph):
    """A client whose answers are given; the last one stays."""

    def __init__(self, *answers: Answer | Exception, **options: Any) -> None:
        self.clock = Clock()
        self.naps: list[float] = []
        pacer = r.Pacer(100.0, 1000.0, self.clock, self.clock.sleep)
        options.setdefault("sleep", self.nap)
        super().__init__("http://127.0.0.1:1", "v26.0", "app-secret", pacer, **options)
        self.answers = list(answers)
        self.sent: list[tuple[str, str, dict[str, str], bytes]] = []

    def nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.clock.sleep(seconds)

    def _send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.sent.append((method, target, dict(headers), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, given, content = answer
        return (
            status,
            given,
            content if isinstance(content, bytes) else json.dumps(content).encode(),
        )


def test_a_call_carries_the_proof_and_keeps_the_token_out_of_the_address() -> None:
    client = Scripted((200, {}, {"id": "1"}))
    assert client.get("100001/subscribed_apps", TOKEN, "100001", fields="id") == {"id": "1"}
    _, target, headers, _ = client.sent[0]
    parts = urlsplit(target)
    proof = hmac.new(b"app-secret", TOKEN.encode(), hashlib.sha256).hexdigest()
    assert parts.path == "/v26.0/100001/subscribed_apps"
    assert parse_qs(parts.query) == {"fields": ["id"], "appsecret_proof": [proof]}
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in target


def test_all_pages_are_read_by_their_cursors() -> None:
    first = {"data": [{"id": "1"}], "paging": {"next": "https://x/?access_token=…",
             "cursors": {"after": "abc"}}}  # fmt: skip
    last = {"data": [{"id": "2"}], "paging": {"cursors": {"after": "def"}}}
    client = Scripted((200, {}, first), (200, {}, last))
    assert client.pages("1/phone_numbers", TOKEN) == [{"id": "1"}, {"id": "2"}]
    assert "after=abc" in client.sent[1][1]
    assert "limit=100" in client.sent[0][1]


@pytest.mark.parametrize("success", [True, "true"])
def test_success_comes_in_two_forms(success: object) -> None:
    client = Scripted((200, {}, {"success": success}))
    client.write("POST", "1/subscribed_apps", TOKEN, "1", {"a": 1})
    assert client.sent[0][3] == b'{"a": 1}'


@pytest.mark.parametrize("answer", [{"success": False}, {"success": "false"}, {}])
def test_anything_else_is_no_success(answer: dict[str, Any]) -> None:
    with pytest.raises(e.GraphError, match="did not succeed"):
        Scripted((200, {}, answer)).write("POST", "1", TOKEN, "1", None)


@pytest.mark.parametrize(
    "failing",
    [
        error(1, 500),
        error(2, 503),
        error(100, is_transient=True),
        (502, {}, b"<html>Bad Gateway</html>"),
        ConnectionResetError("reset"),
        TimeoutError(),
    ],
)
def test_what_fails_for_the_moment_is_tried_again_with_growing_pauses(failing: Any) -> None:
    client = Scripted(failing, failing, GOOD)
    client.write("POST", "1", TOKEN, "1", None)
    assert len(client.sent) == 3
    assert 0 < client.naps[0] <= g.FIRST_PAUSE_SECONDS
    assert g.FIRST_PAUSE_SECONDS / 2 <= client.naps[1] <= 2 * g.FIRST_PAUSE_SECONDS
    assert client.counts.retried == 2


def test_the_tries_are_bounded() -> None:
    client = Scripted(error(2, 503), attempts=4)
    with pytest.raises(e.GraphError):
        client.get("1", TOKEN)
    assert len(client.sent) == 4


@pytest.mark.parametrize("code", [10, 100, 190, 200, 299, 368, 2200])
def test_what_fails_for_good_is_not_tried_again(code: int) -> None:
    client = Scripted(error(code))
    with pytest.raises(e.GraphError) as caught:
        client.get("1", TOKEN)
    assert caught.value.code == code
    assert len(client.sent) == 1


def test_an_error_in_an_answer_of_200_is_an_error() -> None:
    with pytest.raises(e.GraphError):
        Scripted(error(190, 200)).get("1", TOKEN)


def business(minutes: int, account: str = "1") -> dict[str, str]:
    entry = {"type": "whatsapp", "call_count": 101, "estimated_time_to_regain_access": minutes}
    return {"x-business-use-case-usage": json.dumps({account: [entry]})}


@pytest.mark.parametrize("code", [80007, 80008])
def test_an_accounts_limit_is_waited_for_as_long_as_meta_says(code: int) -> None:
    status, _, content = error(code)
    client = Scripted((status, business(2), content), GOOD)
    client.write("POST", "1/subscribed_apps", TOKEN, "1", None)
    assert 120 <= client.naps[0] <= 121
    assert client.counts.limited == 1


def test_a_limit_that_holds_longer_than_patience_is_left_to_the_next_run() -> None:
    status, _, content = error(80007)
    client = Scripted((status, business(30), content), patience=900)
    with pytest.raises(e.GraphError):
        client.get("1", TOKEN, "1")
    assert client.naps == []


@pytest.mark.parametrize("answer", [error(4), error(0, 429), (429, {"retry-after": "7"}, b"")])
def test_the_apps_limit_is_waited_for(answer: Answer) -> None:
    client = Scripted(answer, GOOD)
    client.write("POST", "1", TOKEN, "1", None)
    assert client.counts.limited == 1
    assert client.naps[0] > 0
    if answer[1]:
        assert 7 <= client.naps[0] <= 8


def test_many_refusals_in_a_row_hold_everybody_back() -> None:
    client = Scripted(error(4), error(4), error(4), GOOD)
    before = client.pacer.rate
    client.write("POST", "1", TOKEN, "1", None)
    assert client.pacer.rate < before


def test_a_limit_that_does_not_end_ends_the_call() -> None:
    client = Scripted(error(4), patience=10_000)
    with pytest.raises(e.GraphError):
        client.get("1", TOKEN)
    assert len(client.sent) == 12


def test_a_write_asks_first_whether_it_may() -> None:
    def lost() -> None:
        raise AwsFailure("LockLost", "another run has taken over")

    client = Scripted(GOOD, before_write=lost)
    client.get("1", TOKEN)
    with pytest.raises(AwsFailure, match="taken over"):
        client.write("POST", "1", TOKEN, "1", None)
    assert len(client.sent) == 1


@pytest.mark.parametrize(
    ("url", "env", "good"),
    [
        ("https://graph.facebook.com", "production", True),
        ("https://graph.facebook.com/", "staging", True),
        ("https://graph.facebook.com", "local", False),
        ("http://127.77.0.9:8080", "local", True),
        ("http://127.77.0.9:8080", "production", False),
        ("http://graph.facebook.com", "production", False),
        ("https://graph.facebook.com.evil.example", "production", False),
        ("https://graph.facebook.com@evil.example", "staging", False),
        ("https://10.0.0.1", "local", False),
        ("", "production", False),
    ],
)
def test_tokens_go_to_meta_or_to_a_double_here(url: str, env: str, good: bool) -> None:
    if good:
        assert g.check_base_url(url, env) == url.rstrip("/")
    else:
        with pytest.raises(AwsFailure, match="graph_url"):
            g.check_base_url(url, env)


# The pace.


def usage(percent: float) -> dict[str, str]:
    return {"x-app-usage": json.dumps({"call_count": 3, "total_time": percent, "total_cputime": 1})}


def test_usage_headers() -> None:
    assert r.app_usage(usage(80)).percent == 80
    assert r.app_usage({}).percent == 0
    assert r.app_usage({"x-app-usage": "nonsense"}).percent == 0
    assert r.account_usage(business(3), "1") == r.Usage(101.0, 180.0)
    assert r.account_usage(business(3), "2") == r.Usage()


@pytest.mark.parametrize(
    ("percent", "allowed"), [(0, 100), (74, 100), (75, 100), (85, 50), (95, 0.2), (120, 0.2)]
)
def test_the_rate_falls_before_the_limit(percent: float, allowed: float) -> None:
    assert r.allowed_rate(100.0, percent) == pytest.approx(allowed)


def test_calls_are_spaced_out_and_the_rate_grows_with_room_to_spare() -> None:
    clock = Clock()
    pacer = r.Pacer(10.0, 20.0, clock, clock.sleep)
    for _ in range(11):
        pacer.wait()
    assert clock.now == pytest.approx(1.0)
    for _ in range(100):
        pacer.learn(r.Usage(10.0))
    assert pacer.rate == 20.0
    pacer.learn(r.Usage(95.0))
    assert pacer.rate == r.MIN_RATE
    pacer.learn(r.Usage(10.0))
    assert r.MIN_RATE < pacer.rate < 1.0


def test_one_refusal_among_answers_holds_nobody_back() -> None:
    clock = Clock()
    pacer = r.Pacer(10.0, 20.0, clock, clock.sleep)
    for _ in range(10):
        pacer.refused(60.0)
        pacer.accepted()
    assert pacer.rate == 10.0
    for _ in range(r.IN_A_ROW):
        pacer.refused(60.0)
    assert pacer.rate == 5.0
    pacer.wait()
    assert clock.now == pytest.approx(60.0)


# Errors and what to do about them.


@pytest.mark.parametrize(
    ("code", "subcode", "word"),
    [
        (190, 463, "expired"),
        (10, 0, "whatsapp_business_management"),
        (200, 0, "whatsapp_business_management"),
        (100, 33, "no such id"),
        (100, 0, "refuses the value"),
        (2200, 0, "callback URL"),
        (4, 0, "app's limit"),
        (80007, 0, "account's limit"),
        (368, 0, "policy"),
        (2, 0, "for the moment"),
        (999, 0, "table of error codes"),
    ],
)
def test_each_error_has_its_remedy(code: int, subcode: int, word: str) -> None:
    content = {
        "error": {"code": code, "error_subcode": subcode, "message": "no", "fbtrace_id": "T"}
    }
    found = e.from_answer(400, content)
    assert word in e.remedy(found)
    assert str(code) in found.shown
    assert "fbtrace_id T" in found.shown


def test_a_wrong_app_secret_is_told_from_a_tenants_error() -> None:
    proof = e.GraphError(100, "Invalid appsecret_proof provided in the API argument", status=400)
    assert "app secret" in e.remedy(proof)
    assert e.app_refused(proof)
    assert e.app_refused(e.GraphError(190, "Invalid OAuth access token signature.", status=401))
    assert not e.app_refused(e.GraphError(2, "later", status=503))


def test_answers_that_are_no_errors_of_meta() -> None:
    assert e.from_answer(502, None).again
    assert not e.from_answer(404, {"error": "text"}).again
    assert e.GraphError(0, "Meta gave no answer: reset").again
