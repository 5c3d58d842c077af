"""Secrets of containers: references in task definitions and their values at the start of a task.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from localcloud.cloud import Cloud
from localcloud.dataplane.tasks.surroundings import ResourceError

_PREFIX = (
    "ResourceInitializationError: unable to pull secrets or registry auth: "
    "execution resource retrieval failed: "
)


@dataclass(frozen=True)
class SecretReference:
    """``valueFrom`` of a secret, taken apart. Empty parts of the reference are None."""

    #: ``secretsmanager`` or ``ssm``.
    service: str
    #: ARN of the secret, or name or ARN of the parameter.
    id: str
    json_key: str | None = None
    version_stage: str | None = None
    version_id: str | None = None


def parse_reference(value_from: str) -> SecretReference:
    """Take ``valueFrom`` apart; ValueError says what is wrong with it.

    ``arn:aws:secretsmanager:region:account:secret:name:json-key:version-stage:version-id`` with all
    three after the name or none of them; anything that is no ARN names an SSM parameter.
    """
    if not value_from.startswith("arn:"):
        if not value_from:
            raise ValueError("valueFrom is empty")
        return SecretReference("ssm", value_from)
    parts = value_from.split(":")
    service = parts[2] if len(parts) > 2 else ""
    if service == "ssm" and len(parts) == 6 and parts[5].startswith("parameter/"):
        return SecretReference("ssm", value_from)
    if service == "secretsmanager" and len(parts) in (7, 10) and parts[5] == "secret" and parts[6]:
        key, stage, version = (part or None for part in (parts[7:] or ("", "", "")))
        return SecretReference("secretsmanager", ":".join(parts[:7]), key, stage, version)
    raise ValueError(
        f"{value_from} is neither the ARN of a secret (with :json-key:version-stage:version-id or "
        "nothing after its name) nor that of a parameter"
    )


class SecretResolver:
    """Reads the values from moto's Secrets Manager and SSM."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def resolve(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Environment variables for the ``secrets`` of a container definition.

        Raises ResourceError with the text of
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html.
        No value is ever part of an error.
        """
        return {
            secret["name"]: self._value(parse_reference(secret["valueFrom"]))
            for secret in container.get("secrets", ())
        }

    def _value(self, reference: SecretReference) -> str:
        if reference.service == "ssm":
            return self._parameter(reference.id)
        try:
            with self._cloud.lock:
                found = self._cloud.backend("secretsmanager").get_secret_value(
                    reference.id, reference.version_id or "", reference.version_stage or ""
                )
        except (ServiceException, HTTPException) as error:
            raise ResourceError(
                f"{_PREFIX}unable to retrieve secret from asm: service call has been retried "
                f"1 time(s): failed to fetch secret {reference.id} from secrets manager: "
                f"{_describe(error)}"
            ) from error
        value = found.get("SecretString")
        if value is None:
            raise ResourceError(
                f"{_PREFIX}unable to retrieve secret from asm: {reference.id} holds binary data"
            )
        if reference.json_key is None:
            return str(value)
        return _json_member(str(value), reference)

    def _parameter(self, name: str) -> str:
        with self._cloud.lock:
            parameter = self._cloud.backend("ssm").get_parameter(name)
            if parameter is None:
                short = name.split(":parameter", 1)[-1]
                raise ResourceError(
                    f"{_PREFIX}unable to retrieve secrets from ssm: service call has been retried "
                    f"1 time(s): invalid ssm parameters: {short}"
                )
            return str(parameter.response_object(decrypt=True)["Value"])


def _json_member(text: str, reference: SecretReference) -> str:
    key = reference.json_key or ""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or key not in document:
        raise ResourceError(
            f"{_PREFIX}unable to retrieve secret from asm: service call has been retried "
            f"1 time(s): retrieved secret from Secrets Manager did not contain json key {key}"
        )
    value = document[key]
    return value if isinstance(value, str) else json.dumps(value)


def _describe(error: Exception) -> str:
    code = getattr(error, "error_type", None) or getattr(error, "code", "Error")
    message = getattr(error, "message", None) or getattr(error, "description", None) or str(error)
    return f"{code}: {message}"
