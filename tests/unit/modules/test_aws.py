from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import (
    Aws,
    AwsFailure,
    aws_argument_spec,
    check_endpoint,
    explain,
    parallel,
)
from botocore import exceptions
from botocore.stub import Stubber

IDENTITY = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/x", "UserId": "x"}
ARN = "arn:aws:ecs:eu-south-1:123456789012:service/lyo/lyo"


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An address at which something listens: nothing is ever asked of it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def options(endpoint: str) -> dict[str, Any]:
    return {
        "region": "eu-south-1",
        "account_id": "123456789012",
        "endpoint_url": endpoint,
        "access_key": "AKIALYOUNITTEST00001",
        "secret_key": "a-secret-key-of-a-test",
    }


def stubbed(aws: Aws, service: str) -> Stubber:
    stub = Stubber(aws.client(service))
    stub.activate()
    return stub


def with_identity(aws: Aws, account: str = "123456789012") -> Stubber:
    stub = stubbed(aws, "sts")
    stub.add_response("get_caller_identity", {**IDENTITY, "Account": account})
    return stub


def test_the_account_is_confirmed_once_before_anything_else(options: dict[str, Any]) -> None:
    aws = Aws(options)
    sts, ecs = with_identity(aws), stubbed(aws, "ecs")
    for _ in range(2):
        ecs.add_response("describe_services", {"services": []}, {"services": ["lyo"]})
        assert aws.call("ecs", "describe_services", services=["lyo"])["services"] == []
    sts.assert_no_pending_responses()
    assert aws.writes == 0


def test_another_account_is_refused_before_the_call(options: dict[str, Any]) -> None:
    aws = Aws(options)
    with_identity(aws, "999999999999")
    ecs = stubbed(aws, "ecs")
    ecs.add_response("describe_services", {"services": []})
    with pytest.raises(AwsFailure, match="account 999999999999, the inventory says 123456789012"):
        aws.call("ecs", "describe_services", services=["lyo"])
    with pytest.raises(AssertionError):
        ecs.assert_no_pending_responses()


def test_a_deferred_account_is_confirmed_by_an_arn(options: dict[str, Any]) -> None:
    aws = Aws(options, defer_account=True)
    ecs = stubbed(aws, "ecs")
    ecs.add_response("describe_services", {"services": []}, {"services": ["lyo"]})
    aws.call("ecs", "describe_services", services=["lyo"])
    aws.confirm_account(ARN)
    ecs.add_response(
        "stop_service_deployment", {}, {"serviceDeploymentArn": "a" * 20, "stopType": "ROLLBACK"}
    )
    aws.call("ecs", "stop_service_deployment", serviceDeploymentArn="a" * 20, stopType="ROLLBACK")
    assert aws.writes == 1


def test_a_deferred_account_is_confirmed_before_a_write(options: dict[str, Any]) -> None:
    aws = Aws(options, defer_account=True)
    with_identity(aws, "999999999999")
    stubbed(aws, "ecs")
    with pytest.raises(AwsFailure, match="999999999999"):
        aws.call("ecs", "update_service", service="lyo")


@pytest.mark.parametrize("arn", [ARN.replace("123456789012", "1"), "nonsense"])
def test_a_wrong_arn_is_refused(options: dict[str, Any], arn: str) -> None:
    with pytest.raises(AwsFailure) as caught:
        Aws(options, defer_account=True).confirm_account(arn)
    assert caught.value.code == "WrongAccount"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "credentials have expired"),
        ("UnrecognizedClientException", "does not accept the credentials"),
        ("AccessDeniedException", "may not do ecs:DescribeServices"),
        ("ThrottlingException", "keeps throttling ecs:DescribeServices"),
        ("ClusterNotFoundException", r"ecs:DescribeServices failed \(ClusterNotFoundException\)"),
    ],
)
def test_errors_of_aws_say_what_to_do(options: dict[str, Any], code: str, words: str) -> None:
    aws = Aws(options)
    with_identity(aws)
    stubbed(aws, "ecs").add_client_error("describe_services", code, "because")
    with pytest.raises(AwsFailure, match=words) as caught:
        aws.call("ecs", "describe_services", services=["lyo"])
    assert caught.value.code == code
    assert caught.value.operation == "ecs:DescribeServices"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.NoCredentialsError(), "NoCredentials"),
        (exceptions.EndpointConnectionError(endpoint_url="x"), "Unreachable"),
        (exceptions.ReadTimeoutError(endpoint_url="x"), "Unreachable"),
        (exceptions.ParamValidationError(report="bad"), "Client"),
    ],
)
def test_errors_on_the_way_to_aws(options: dict[str, Any], error: Exception, code: str) -> None:
    aws = Aws(options)

    def refuse(**_: Any) -> None:
        raise error

    aws.client("sts").get_caller_identity = refuse
    with pytest.raises(AwsFailure) as caught:
        aws.call("ecs", "describe_services")
    assert caught.value.code == code
    assert "Traceback" not in caught.value.message


def test_pages_are_joined(options: dict[str, Any]) -> None:
    aws = Aws(options)
    with_identity(aws)
    ecr = stubbed(aws, "ecr")
    first = {"imageDetails": [{"imageDigest": "a"}], "nextToken": "n"}
    ecr.add_response("describe_images", first, {"repositoryName": "lyo"})
    second = {"imageDetails": [{"imageDigest": "b"}]}
    ecr.add_response("describe_images", second, {"repositoryName": "lyo", "nextToken": "n"})
    found = aws.all("ecr", "describe_images", "imageDetails", repositoryName="lyo")
    assert [entry["imageDigest"] for entry in found] == ["a", "b"]


def test_nothing_listens(options: dict[str, Any]) -> None:
    with socket.socket() as listener:  # bound but not listening: refused at once
        listener.bind(("127.0.0.1", 0))
        options["endpoint_url"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(AwsFailure, match="is the local cloud up") as caught:
            Aws(options).call("ecs", "describe_services")
    assert caught.value.code == "Unreachable"


@pytest.mark.parametrize(
    "endpoint",
    ["http://10.0.0.1:4566", "https://ecs.eu-south-1.amazonaws.com", "ftp://127.0.0.1", "127.0.0.1",
     "http://127.0.0.1.example.com", "http://127.0.0.1:99999", ""],
)  # fmt: skip
def test_an_endpoint_elsewhere_gets_no_credentials(endpoint: str) -> None:
    with pytest.raises(AwsFailure) as caught:
        check_endpoint(endpoint)
    assert caught.value.code == "BadEndpoint"


def test_endpoints_on_this_machine() -> None:
    assert check_endpoint("http://127.14.0.1:4566") == ("127.14.0.1", 4566)
    assert check_endpoint("https://localhost") == ("localhost", 443)


def test_a_shells_endpoint_does_not_count(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    options["endpoint_url"] = None
    client = Aws(options).client("ecs")
    assert client.meta.endpoint_url == "https://ecs.eu-south-1.amazonaws.com"


def test_a_client_is_made_once_with_bounded_waits(options: dict[str, Any]) -> None:
    aws = Aws(options)
    client = aws.client("ecs")
    assert aws.client("ecs") is client
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 20)
    assert config.retries["mode"] == "standard"
    assert "lyo-ops" in config.user_agent
    assert aws.secrets == ["a-secret-key-of-a-test"]


def test_a_profile_that_is_not_there(options: dict[str, Any]) -> None:
    options |= {"profile": "no-such-profile", "access_key": None, "secret_key": None}
    with pytest.raises(AwsFailure, match="no-such-profile"):
        Aws(options).client("ecs")


def test_explanations_without_an_operation() -> None:
    assert explain("Unreachable", "why", "ecs:X", None) == "AWS cannot be reached (at ecs:X): why"
    assert explain("Other", "why", "", None) == "why"


def test_parallel_keeps_the_order_and_raises_what_fails() -> None:
    barrier = threading.Barrier(2, timeout=5)

    def wait(value: int) -> Any:
        def call() -> int:
            barrier.wait()
            return value

        return call

    assert parallel(wait(1), wait(2)) == [1, 2]
    assert parallel(lambda: 3) == [3]

    def fail() -> None:
        raise AwsFailure("X", "no")

    with pytest.raises(AwsFailure):
        parallel(lambda: 1, fail)


def test_secrets_are_hidden_in_the_argument_spec() -> None:
    sub = aws_argument_spec()["aws"]["options"]
    assert sub["secret_key"]["no_log"]
    assert sub["session_token"]["no_log"]
