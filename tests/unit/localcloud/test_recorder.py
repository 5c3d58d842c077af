from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.gateway import _kind_of_method, _resource
from localcloud.recorder import RecordedCall, Recorder, kind_of, read_calls


@pytest.mark.parametrize(
    "operation",
    [
        "DescribeServices",
        "GetObject",
        "ListServiceDeployments",
        "HeadBucket",
        "BatchGetImage",
        "BatchCheckLayerAvailability",
        "GetAuthorizationToken",
        "AssumeRole",
        "Decrypt",
    ],
)
def test_reads(operation: str) -> None:
    assert kind_of(operation) == "read"


@pytest.mark.parametrize(
    "operation",
    [
        "UpdateService",
        "PutObject",
        "BatchDeleteImage",
        "ContinueServiceDeployment",
        "StopServiceDeployment",
        "InitiateLayerUpload",
        "RunTask",
        "TagResource",
        "CheckoutLicense",
        "CreateMultipartUpload",
    ],
)
def test_writes(operation: str) -> None:
    assert kind_of(operation) == "write"


def recorded(time: str, operation: str) -> RecordedCall:
    return RecordedCall(
        time, "ecs", operation, kind_of(operation), 200, None, "eu-south-1", None, 1.0, "id", "test"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "calls.jsonl"
    recorder = Recorder(file)
    recorder.add(recorded("2026-03-01T10:00:00.000000+00:00", "UpdateService"))
    recorder.add(recorded("2026-03-01T10:00:01.500000+00:00", "DescribeServices"))
    recorder.add(recorded("2026-03-01T10:00:02.000000+00:00", "RunTask"))
    recorder.close()
    return file


def test_since_takes_calls_from_that_moment_on(path: Path) -> None:
    calls = read_calls(path, since="2026-03-01T10:00:01.500000")
    assert [call.operation for call in calls] == ["DescribeServices", "RunTask"]


def test_since_with_an_offset(path: Path) -> None:
    calls = read_calls(path, since="2026-03-01T11:00:02+01:00")
    assert [call.operation for call in calls] == ["RunTask"]


def test_only_writes(path: Path) -> None:
    assert [call.operation for call in read_calls(path, writes=True)] == [
        "UpdateService",
        "RunTask",
    ]


def test_a_time_that_is_none(path: Path) -> None:
    with pytest.raises(ValueError, match="yesterday"):
        list(read_calls(path, since="yesterday"))


def test_no_record_is_no_calls(tmp_path: Path) -> None:
    assert list(read_calls(tmp_path / "absent.jsonl")) == []


def test_a_read_of_a_service_that_is_refused_as_a_whole_counts_as_a_read() -> None:
    post = {"REQUEST_METHOD": "POST"}
    named = {**post, "HTTP_X_AMZ_TARGET": "ServiceQuotasV20190624.ListServiceQuotas"}
    other = {**post, "HTTP_X_AMZ_TARGET": "ServiceQuotasV20190624.RequestServiceQuotaIncrease"}
    assert [_kind_of_method(environ) for environ in (named, other, post)] == [
        "read",
        "write",
        "write",
    ]
    assert _kind_of_method({"REQUEST_METHOD": "GET"}) == "read"


@pytest.mark.parametrize(
    ("operation", "params", "resource"),
    [
        ("PutObject", {"Bucket": "b", "Key": "a/c.json"}, "b/a/c.json"),
        ("UpdateService", {"cluster": "lyo", "service": "api"}, "lyo"),
        # Every task runs in the same cluster, so that says nothing.
        ("RunTask", {"cluster": "lyo", "taskDefinition": "lyo-migrate:3"}, "lyo-migrate:3"),
        ("PutMetricData", {"MetricData": []}, None),
    ],
)
def test_what_a_call_is_about(
    operation: str, params: dict[str, object], resource: str | None
) -> None:
    assert _resource(operation, params) == resource
