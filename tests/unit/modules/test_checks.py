from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils import lyo_checks as c
from ansible.module_utils.lyo_aws import AwsFailure

from .fakes import FakeAws, FakeModule, ended, failure

SECRET = "a-long-and-secret-value"
VAULT = {"SecretString": json.dumps({"verify_token": SECRET, "app_secret": SECRET})}
REFERENCE = {"arn": "arn:whatsapp", "key": "app_secret"}


def vault(**answers: Any) -> c.Secrets:
    return c.Secrets(FakeAws(**{"get_secret_value": VAULT, **answers}))


def check(**changes: Any) -> dict[str, Any]:
    return {"name": "one", "path": "/health", "attempts": 3, "delay": 1.0, **changes}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[c.Request]]:
    """Answer requests from a list; the last answer stays."""

    def prepare(*given: Any) -> list[c.Request]:
        left = list(given)
        sent: list[c.Request] = []

        def send(request: c.Request, *_: Any) -> tuple[int, bytes]:
            sent.append(request)
            answer = left.pop(0) if len(left) > 1 else left[0]
            if callable(answer):
                answer = answer(request)
            if isinstance(answer, Exception):
                raise answer
            status, body = answer
            return status, body.encode()

        monkeypatch.setattr(c, "send", send)
        return sent

    return prepare


def run(given: dict[str, Any], naps: list[float] | None = None) -> c.Result:
    sleep = (naps if naps is not None else []).append
    return c.run_check(given, "http://127.0.0.1:1", vault(), None, sleep)


def test_a_check_that_is_right_at_once(answers: Any) -> None:
    sent = answers((200, '{"status": "ok", "more": 1}'))
    result = run(check(json={"status": "ok"}, contains="more", headers={"X": 1}))
    assert result.ok
    assert (result.status, result.attempts, result.message) == (200, 1, "")
    assert sent[0].url == "http://127.0.0.1:1/health"
    assert sent[0].headers == {"X": "1"}


def test_a_check_is_tried_again_a_bounded_number_of_times(answers: Any) -> None:
    naps: list[float] = []
    sent = answers(ConnectionRefusedError("refused"), (503, ""), (200, "ok"))
    assert run(check(), naps).attempts == 3
    assert naps == [1.0, 1.0]
    sent = answers((503, "no"))
    result = run(check())
    assert not result.ok
    assert len(sent) == 3
    assert result.message == "GET http://127.0.0.1:1/health: status 503, expected 200: no"


def test_no_answer_is_said(answers: Any) -> None:
    answers(TimeoutError("timed out"))
    result = run(check(attempts=1))
    assert (result.ok, result.status) == (False, 0)
    assert "no answer: timed out" in result.message


@pytest.mark.parametrize(
    ("changes", "answer", "message"),
    [
        ({"status": [401, 403]}, (403, ""), ""),
        ({"status": [401, 403]}, (200, ""), "expected 401 or 403"),
        ({"contains": "ciao"}, (200, "hello"), "does not contain 'ciao'"),
        ({"json": {"a": 1}}, (200, "<html>"), "not JSON"),
        ({"json": {"a": {"b": 1}}}, (200, '{"a": {"b": 2}}'), "a.b is 2, not 1"),
        ({"json": {"a": 1}}, (200, "{}"), "a is missing"),
        ({"json": {"a": 1}}, (200, "[]"), "the answer is not an object"),
        ({"json": {"a": {"b": 1}}}, (200, '{"a": 3}'), "a is not an object"),
        ({"json": {"a": [1]}}, (200, '{"a": [1, 2]}'), "a is [1, 2], not [1]"),
    ],
)
def test_comparisons(
    answers: Any, changes: dict[str, Any], answer: tuple[int, str], message: str
) -> None:
    answers(answer)
    result = run(check(attempts=1, **changes))
    assert result.ok is (message == "")
    assert message in result.message


def handshake(**more: Any) -> dict[str, Any]:
    return check(attempts=1, handshake={"verify_token": REFERENCE, **more})


def test_the_handshake_wants_its_challenge_back(answers: Any) -> None:
    def echo(request: c.Request) -> tuple[int, str]:
        return 200, request.url.partition("hub.challenge=")[2].partition("&")[0]

    sent = answers(echo)
    assert run(handshake()).ok
    assert f"hub.verify_token={SECRET}" in sent[0].url
    answers((200, "something else"))
    result = run(handshake())
    assert "did not come back" in result.message
    assert SECRET not in result.message


def test_a_wrong_handshake_sends_another_token(answers: Any) -> None:
    sent = answers((403, ""))
    assert run({**handshake(wrong=True), "status": [403]}).ok
    assert SECRET not in sent[0].url
    assert "hub.verify_token=wrong-" in sent[0].url


def test_a_signature_is_over_the_raw_body(answers: Any) -> None:
    sent = answers((200, ""))
    signed = check(method="POST", body={"è": 1}, signature={"app_secret": REFERENCE})
    assert run(signed).ok
    (request,) = sent
    assert request.body == '{"è": 1}'.encode()
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Hub-Signature-256"] == c.signature(SECRET, request.body)
    # HMAC-SHA256 of "what do ya want for nothing?" under "Jefe": RFC 4231, test case 2.
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert c.signature("Jefe", b"what do ya want for nothing?") == f"sha256={known}"
    signed["signature"]["wrong"] = True
    run(signed)
    assert sent[1].headers["X-Hub-Signature-256"] != request.headers["X-Hub-Signature-256"]


def test_secret_headers_and_plain_bodies(answers: Any) -> None:
    sent = answers((200, ""))
    run(check(body="plain", secret_headers={"X-Lyo-Ops-Token": REFERENCE}))
    assert sent[0].headers == {"X-Lyo-Ops-Token": SECRET}
    assert sent[0].body == b"plain"


def test_a_secret_is_read_once() -> None:
    aws = FakeAws(get_secret_value=VAULT)
    secrets = c.Secrets(aws)
    assert secrets.value(REFERENCE) == secrets.value({**REFERENCE, "key": "verify_token"}) == SECRET
    assert secrets.value({"arn": "arn:whatsapp"}) == VAULT["SecretString"]
    assert len(aws.calls) == 1


@pytest.mark.parametrize(
    ("secrets", "reference", "message"),
    [
        (c.Secrets(None), REFERENCE, "aws is not set"),
        (vault(), {**REFERENCE, "key": "other"}, "has no key other"),
        (vault(get_secret_value={"SecretString": "plain"}), REFERENCE, "has no key app_secret"),
        (vault(get_secret_value=failure("AccessDenied", "may not")), REFERENCE, "may not"),
    ],
)
def test_a_secret_that_cannot_be_read(
    secrets: c.Secrets, reference: dict[str, str], message: str
) -> None:
    with pytest.raises(AwsFailure, match=message):
        secrets.value(reference)


def test_what_cannot_be_sent_is_a_failed_check(answers: Any) -> None:
    sent = answers((200, ""))
    result = run(check(path=None, url="ftp://host/"))
    assert not result.ok
    assert "not an http or https address" in result.message
    assert sent == []


PARAMS = {"aws": None, "base_url": "http://127.0.0.1:1", "ca_bundle": None}


def test_the_module_runs_every_check_and_fails_with_all_of_them(answers: Any) -> None:
    answers((500, ""), (200, ""), (500, ""))
    checks = [check(name=name, attempts=1) for name in ("a", "b", "c")]
    done = ended(c.run, FakeModule({**PARAMS, "checks": checks}))
    assert done.failed
    assert done.answer["msg"] == "2 of 3 checks failed"
    assert [entry["ok"] for entry in done.answer["results"]] == [False, True, False]
    assert done.answer["reasons"][0].startswith("check a failed after 1: GET ")


def test_the_module_when_all_is_well_and_in_check_mode(answers: Any) -> None:
    sent = answers((200, ""))
    module = FakeModule({**PARAMS, "checks": [check()]})
    done = ended(c.run, module)
    assert not done.failed
    assert not done.answer["changed"]
    module.check_mode = True
    assert ended(c.run, module).answer["results"] == []
    assert len(sent) == 1


def test_a_ca_bundle_that_is_not_there_is_said() -> None:
    params = {**PARAMS, "checks": [check()], "ca_bundle": "/nowhere.pem"}
    assert "/nowhere.pem cannot be used" in ended(c.run, FakeModule(params)).answer["msg"]


@pytest.mark.parametrize(
    "trouble", [failure("ThrottlingException"), failure("ExpiredToken"), failure("Unreachable")]
)
def test_a_secret_that_cannot_be_read_just_now_says_nothing_about_the_release(
    trouble: AwsFailure,
) -> None:
    given = handshake()
    with pytest.raises(AwsFailure):
        c.run_check(given, "http://127.0.0.1:1", vault(get_secret_value=trouble), None)
