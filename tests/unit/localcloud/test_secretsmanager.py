"""Rotation of secrets that another service manages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud
from localcloud.services.secretsmanager import ManagedRotation, start_schedule


def secret(owner: str | None = "rds", *, deleted: bool = False) -> Any:
    made = SimpleNamespace(
        arn="arn:secret",
        name="rds!db-1",
        owning_service=owner,
        is_deleted=lambda: deleted,
        rotation_requested=False,
        rotation_enabled=False,
        auto_rotate_after_days=0,
        next_rotation_date=None,
        last_rotation_date=None,
    )
    if owner:
        start_schedule(made)
    return made


def rotation(kept: Any) -> tuple[ManagedRotation, list[str]]:
    """The API over one secret, and the ARNs that the owning service was asked to rotate."""
    backend = SimpleNamespace(describe_secret=lambda _: kept)
    api = ManagedRotation(cast(Cloud, SimpleNamespace(backend=lambda *_: backend)))
    rotated: list[str] = []
    api.owners["rds"] = rotated.append
    return api, rotated


def call(**params: Any) -> Call:
    return Call("secretsmanager", "RotateSecret", "1", "eu-south-1", {"SecretId": "x", **params})


def test_a_managed_secret_is_rotated_every_seven_days_from_its_beginning() -> None:
    made = secret()
    assert made.rotation_enabled
    assert made.auto_rotate_after_days == 7


def test_the_schedule_is_changed_without_rotating() -> None:
    made = secret()
    api, rotated = rotation(made)
    before = made.next_rotation_date
    api.rotate_secret(call(RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 365}))
    assert rotated == []
    assert made.auto_rotate_after_days == 365
    assert made.next_rotation_date >= before + 358 * 86_400
    assert made.last_rotation_date is None


def test_an_immediate_rotation_is_the_owning_services_and_keeps_the_schedule() -> None:
    made = secret()
    api, rotated = rotation(made)
    assert api.rotate_secret(call())["ARN"] == "arn:secret"
    assert rotated == ["arn:secret"]
    assert made.auto_rotate_after_days == 7
    assert made.last_rotation_date is not None


def test_a_cancelled_rotation_is_off_until_it_is_asked_for_again() -> None:
    made = secret()
    api, _ = rotation(made)
    api.cancel_rotate_secret(call())
    assert not made.rotation_enabled
    assert made.next_rotation_date is None
    api.rotate_secret(call(RotateImmediately=False))
    assert made.rotation_enabled


@pytest.mark.parametrize(
    ("kept", "params", "code"),
    [
        (secret(), {"RotationLambdaARN": "arn:lambda"}, "InvalidRequestException"),
        (
            secret(),
            {"RotationRules": {"AutomaticallyAfterDays": 1001}},
            "InvalidParameterException",
        ),
        (secret(), {"RotationRules": {"ScheduleExpression": "rate(1 day)"}}, "NotImplemented"),
        (secret(deleted=True), {}, "InvalidRequestException"),
        (secret(None), {}, "InvalidRequestException"),
        (secret(None), {"RotationLambdaARN": "arn:lambda"}, "NotImplemented"),
    ],
)
def test_what_cannot_be_rotated_is_refused(kept: Any, params: dict[str, Any], code: str) -> None:
    api, rotated = rotation(kept)
    with pytest.raises(AwsError) as caught:
        api.rotate_secret(call(**params))
    assert caught.value.code == code
    assert rotated == []


def test_a_rotation_that_never_was_is_not_cancelled() -> None:
    api, _ = rotation(secret(None))
    with pytest.raises(AwsError) as caught:
        api.cancel_rotate_secret(call())
    assert caught.value.code == "InvalidRequestException"
