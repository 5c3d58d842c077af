"""An error of ours reaches the client in a protocol that it reads."""

from __future__ import annotations

import json

import pytest

from localcloud.api import AwsError
from localcloud.gateway import SERVICES, _error_answer, _error_code, _Target

ERROR = AwsError("ThrottlingException", "Rate exceeded", status=429)


def target(service: str) -> _Target:
    return _Target(service, "eu-south-1", "AKIA", None, {})


# moto remarks that the service's model does not list this error; every service can answer it.
@pytest.mark.filterwarnings("ignore:Exception.AwsError. with code")
@pytest.mark.parametrize("service", sorted(SERVICES))
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "application/json",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/cbor",
    ],
)
def test_every_service_can_refuse_whatever_it_was_asked_in(service: str, content_type: str) -> None:
    answer = _error_answer({"CONTENT_TYPE": content_type}, target(service), ERROR)
    assert (answer.status, answer.error) == (429, "ThrottlingException")
    assert _error_code(answer.body, answer.headers) == "ThrottlingException"
    assert b"Rate exceeded" in answer.body


@pytest.mark.filterwarnings("ignore:Exception.AwsError. with code")
def test_a_client_of_cloudwatch_gets_the_protocol_that_it_has_asked_in() -> None:
    asked = {"CONTENT_TYPE": "application/x-amz-json-1.0"}
    answer = _error_answer(asked, target("cloudwatch"), ERROR)
    body = json.loads(answer.body)
    assert {str(value) for value in body.values()} >= {"Rate exceeded"}
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
    assert (
        b"<Code>ThrottlingException</Code>" in _error_answer(form, target("cloudwatch"), ERROR).body
    )
