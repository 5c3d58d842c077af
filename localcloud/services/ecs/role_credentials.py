"""Credentials of task roles, where an SDK in a container looks for them.

AWS serves them at an address inside of the task, which AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names;
here they are at the API's own address, which AWS_CONTAINER_CREDENTIALS_FULL_URI names: SDKs take a
loopback address there.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

PATH = "/_lyo/task-credentials/"
VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#: How long they hold; an SDK asks again before.
LIFETIME_SECONDS = 6 * 3600


class RoleCredentials:
    """Serves what tasks may sign with. Task id → role, while the task lives."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._roles: dict[str, str] = {}
        cloud.routes[PATH] = self.serve

    def given(self, task_id: str, role_arn: str | None) -> dict[str, str]:
        """The variable that leads a task's containers to their credentials; none without a role."""
        if not role_arn:
            return {}
        self._roles[task_id] = role_arn
        return {VARIABLE: f"{self._cloud.settings.endpoint}{PATH}{task_id}"}

    def forget(self, task_id: str) -> None:
        """The task is over."""
        self._roles.pop(task_id, None)

    def serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI: new credentials of the task's role, 404 for a task that is not there."""
        task_id = environ["PATH_INFO"].removeprefix(PATH)
        role_arn = self._roles.get(task_id)
        headers = [("Content-Type", "application/json")]
        if role_arn is None:
            start_response("404 Not Found", headers)
            return [json.dumps({"code": "NoSuchTask", "message": task_id}).encode()]
        with self._cloud.lock:
            role = self._cloud.backend("sts").assume_role(
                region_name=self._cloud.settings.region,
                role_session_name=task_id,
                role_arn=role_arn,
                policy="",
                duration=LIFETIME_SECONDS,
                external_id="",
            )
        start_response("200 OK", headers)
        answer = {
            "RoleArn": role_arn,
            "AccessKeyId": role.access_key_id,
            "SecretAccessKey": role.secret_access_key,
            "Token": role.session_token,
            "Expiration": role.expiration.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return [json.dumps(answer).encode()]
