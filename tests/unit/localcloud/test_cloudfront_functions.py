from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.dataplane import javascript
from localcloud.dataplane.viewer import Request, Response
from localcloud.services.cloudfront.events import InvalidAnswerError, event, outcome
from localcloud.services.cloudfront.functions import Functions

ARN = "arn:aws:cloudfront::123456789012:function/failover"
SORRY = """
function handler(event) {
  const request = event.request;
  return {
    statusCode: 503,
    statusDescription: 'Service Unavailable',
    headers: {'retry-after': {value: '60'}},
    body: `${request.method} ${request.uri} ${request.headers.host.value}`,
  };
}
"""
POST = Request(
    "POST", "/webhooks", "a=1&a=2&b", {"host": ["api.lyo.it"], "cookie": ["c=3"]}, "api.lyo.it"
)


def call(operation: str, **params: Any) -> Call:
    return Call("cloudfront", operation, "123456789012", "us-east-1", params)


def published(code: str, used: Callable[[], list[str]] = list) -> Functions:
    functions = Functions("123456789012", used)
    made = functions.create(
        call(
            "CreateFunction",
            Name="failover",
            FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"},
            FunctionCode=code.encode(),
        )
    )
    functions.publish(call("PublishFunction", Name="failover", IfMatch=made["ETag"]))
    return functions


def answer(code: str, request: Request = POST) -> Request | Response:
    return published(code).viewer_request(ARN, request, "E1", "127.1.4.1")


def test_a_function_answers_a_post_itself() -> None:
    response = answer(SORRY)
    assert isinstance(response, Response)
    assert response.status == 503
    assert response.headers == {"Retry-After": "60"}
    assert response.body == b"POST /webhooks api.lyo.it"
    assert response.source == "FunctionGeneratedResponse from cloudfront"


def test_a_function_may_send_the_request_on_to_another_path() -> None:
    code = "async function handler(e) { e.request.uri += '/index.html'; return e.request; }"
    request = answer(code, Request("GET", "/menu", host="lyo.it"))
    assert isinstance(request, Request)
    assert request.path == "/menu/index.html"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("function handler(e) { throw new Error('no'); }", 503),
        ("async function handler(e) { throw new Error('no'); }", 503),
        ("function handler(e) { while (true) {} }", 503),
        ("function handler(e) { return new Promise(() => {}); }", 503),
        ("function handler(e) { return 'hello'; }", 502),
        ("function handler(e) { return {statusCode: 99}; }", 502),
        ("function handler(e) { return {statusCode: 200, headers: {via: {value: 'x'}}}; }", 502),
        ("function handler(e) { return {statusCode: 200, headers: {A: {value: 'x'}}}; }", 502),
        ("function handler(e) { e.request.method = 'GET'; return e.request; }", 502),
    ],
)
def test_a_function_that_fails_gives_503_and_an_invalid_answer_502(code: str, status: int) -> None:
    response = answer(code)
    assert isinstance(response, Response)
    assert response.status == status


def test_the_event_has_what_the_viewer_sent() -> None:
    given = event(POST, "E1", "127.1.4.1", "r-1")
    assert given["context"]["eventType"] == "viewer-request"
    assert given["request"]["method"] == "POST"
    assert given["request"]["querystring"] == {
        "a": {"value": "1", "multiValue": [{"value": "1"}, {"value": "2"}]},
        "b": {"value": ""},
    }
    assert given["request"]["headers"] == {"host": {"value": "api.lyo.it"}}
    assert given["request"]["cookies"] == {"c": {"value": "3"}}


def test_a_body_may_be_base64() -> None:
    made = outcome({"statusCode": 200, "body": {"encoding": "base64", "data": "aGk="}}, POST)
    assert isinstance(made, Response)
    assert made.body == b"hi"
    with pytest.raises(InvalidAnswerError):
        outcome({"statusCode": 200, "body": {"encoding": "base64", "data": "!"}}, POST)


def test_development_is_served_only_once_published() -> None:
    functions = published(SORRY)
    etag = functions.describe(call("DescribeFunction", Name="failover"))["ETag"]
    changed = functions.update(
        call(
            "UpdateFunction",
            Name="failover",
            IfMatch=etag,
            FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"},
            FunctionCode=SORRY.replace("503", "500").encode(),
        )
    )
    before = functions.viewer_request(ARN, POST, "E1", "127.1.4.1")
    assert isinstance(before, Response)
    assert before.status == 503
    functions.publish(call("PublishFunction", Name="failover", IfMatch=changed["ETag"]))
    after = functions.viewer_request(ARN, POST, "E1", "127.1.4.1")
    assert isinstance(after, Response)
    assert after.status == 500
    with pytest.raises(AwsError) as stale:
        functions.publish(call("PublishFunction", Name="failover", IfMatch=etag))
    assert stale.value.code == "PreconditionFailed"


def test_a_function_in_use_cannot_be_deleted() -> None:
    functions = published(SORRY, lambda: [ARN])
    etag = functions.describe(call("DescribeFunction", Name="failover"))["ETag"]
    with pytest.raises(AwsError) as refused:
        functions.delete(call("DeleteFunction", Name="failover", IfMatch=etag))
    assert refused.value.code == "FunctionInUse"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("function handler(", "InvalidArgument"),
        ("function other() {}", "InvalidArgument"),
        ("import cf from 'cloudfront'; function handler() {}", "NotImplemented"),
        (f"function handler() {{}} // {'x' * 10240}", "FunctionSizeLimitExceeded"),
    ],
)
def test_code_that_cannot_run_is_refused(code: str, error: str) -> None:
    with pytest.raises(AwsError) as refused:
        published(code)
    assert refused.value.code == error


def test_a_module_is_found_wherever_it_is_asked_for() -> None:
    assert javascript.modules_used("const c = require('crypto');")
    assert not javascript.modules_used("function handler() { return 'important'; }")
    with pytest.raises(NotReproducedError):
        published("const c = require('crypto'); function handler() {}")
