"""Whose calls are answered: the cloud's own key and keys that AssumeRole has given out."""

from __future__ import annotations

from datetime import UTC, datetime

from localcloud.api import AwsError
from localcloud.cloud import Cloud
from localcloud.settings import ACCESS_KEY_ID


def check_credentials(cloud: Cloud, access_key: str | None, now: datetime) -> None:
    """Refuse unknown and expired keys.

    Signatures are not verified: whoever reaches a loopback address is already on this machine.
    Raises AwsError `InvalidClientTokenId` or `ExpiredTokenException`, as in
    https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html.
    An unsigned request (public S3 objects, presigned URLs of moto) passes.
    """
    if access_key is None or access_key == ACCESS_KEY_ID:
        return
    for role in cloud.backend("sts").assumed_roles:
        if role.access_key_id == access_key:
            expires = role.expiration
            expires = expires if expires.tzinfo else expires.replace(tzinfo=UTC)
            if expires <= now:
                raise AwsError(
                    "ExpiredTokenException",
                    "The security token included in the request is expired",
                    status=403,
                )
            return
    if access_key in {key.access_key_id for key in cloud.backend("iam").access_keys.values()}:
        return
    raise AwsError(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        status=403,
    )
