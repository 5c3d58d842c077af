"""The one place where the modules meet AWS: session, retries, timeouts, endpoint, account, errors.

Every call goes through :meth:`Aws.call`, which makes sure that the credentials belong to the
account the inventory names before anything else is asked of it, and turns what goes wrong into
one :class:`AwsFailure` whose message says what to do.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 20
MAX_ATTEMPTS = 6
USER_AGENT = "lyo-ops"

# Operations that only read; any other one is a write and needs the account confirmed first.
_READ_PREFIXES = ("describe_", "list_", "get_", "head_", "batch_get_", "batch_check_", "filter_")

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_BAD_CREDENTIALS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
}


def aws_argument_spec() -> dict[str, Any]:
    """Return the argument spec of the option group ``aws`` that every module takes."""
    return {
        "aws": {
            "type": "dict",
            "required": True,
            "options": {
                "region": {"type": "str", "required": True},
                "account_id": {"type": "str", "required": True},
                "endpoint_url": {"type": "str"},
                "profile": {"type": "str"},
                "access_key": {"type": "str", "no_log": False},
                "secret_key": {"type": "str", "no_log": True},
                "session_token": {"type": "str", "no_log": True},
                "ca_bundle": {"type": "path"},
                "fence": {
                    "type": "dict",
                    "options": {
                        "bucket": {"type": "str", "required": True},
                        # A name, not a secret.
                        "key": {"type": "str", "required": True, "no_log": False},
                        "token": {"type": "int", "required": True, "no_log": False},
                    },
                },
            },
            "required_together": [["access_key", "secret_key"]],
            "mutually_exclusive": [["profile", "access_key"]],
        }
    }


def parallel(*calls: Callable[[], Any]) -> list[Any]:
    """Run ``calls`` side by side and return their results in the same order.

    The first exception, in that order, is raised after all have ended.
    """
    if len(calls) == 1:
        return [calls[0]()]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=len(calls) or 1) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


class AwsFailure(Exception):  # noqa: N818 - a failure to report, its name is what it is
    """A call, or the way to AWS, failed.

    :ivar code: AWS's error code (``ServiceNotFoundException``), or one of ours: ``NoCredentials``,
        ``Unreachable``, ``WrongAccount``, ``BadEndpoint``, ``LockLost``, ``Client``.
    :ivar operation: ``ecs:UpdateService`` and the like, empty where no call was made.
    """

    def __init__(self, code: str, message: str, operation: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.operation = operation


def check_endpoint(endpoint_url: str) -> tuple[str, int]:
    """Return host and port of an endpoint, which must be ``http(s)`` on this machine.

    An endpoint is named for the local cloud only; AWS's own addresses come from the region. A
    mistyped one must not receive credentials.

    :raises AwsFailure: ``BadEndpoint``.
    """
    parts = urlsplit(endpoint_url)
    host = parts.hostname or ""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        loopback, port = False, 0
    if parts.scheme not in ("http", "https") or not loopback or not port:
        raise AwsFailure(
            "BadEndpoint",
            f"endpoint_url is {endpoint_url!r}, but only a local cloud on this machine "
            "(http://127.x.y.z:port) may be named; leave it out for AWS",
        )
    return host, port


def explain(code: str, message: str, operation: str, endpoint_url: str | None) -> str:
    """Return the one line a person reads when ``operation`` failed with ``code``."""
    if code in _EXPIRED:
        return (
            f"the AWS credentials have expired (at {operation}): log in again, "
            "then run the same command again"
        )
    if code in _BAD_CREDENTIALS:
        return f"AWS does not accept the credentials (at {operation}, {code}): {message}"
    if code in _DENIED:
        return (
            f"access denied: these credentials may not do {operation}. "
            f"Grant it or use another role. AWS says: {message}"
        )
    if code in _THROTTLED:
        return (
            f"AWS keeps throttling {operation} ({code}), also after {MAX_ATTEMPTS} attempts: "
            "wait a minute and run the same command again"
        )
    if code == "NoCredentials":
        return (
            "there are no AWS credentials: log in (aws sso login), set AWS_PROFILE, "
            "or name a profile in the inventory's lyo_aws"
        )
    if code == "Unreachable":
        if endpoint_url:
            return f"nothing answers at {endpoint_url}: is the local cloud up? make demo"
        return f"AWS cannot be reached (at {operation}): {message}"
    return f"{operation} failed ({code}): {message}" if operation else message


class Aws:
    """One session and configuration, one client per service, made when first needed.

    :param options: the module's ``aws`` option group.
    :param defer_account: let reads go before the account is confirmed, for a module that learns
        it from an ARN in its first answer (:meth:`confirm_account`); a write never goes before.
    :ivar writes: number of calls so far that may have changed something.

    Where the options have a ``fence``, every write first makes sure that the run still holds the
    environment's lock: AWS itself has no fencing, so a run that was stalled must find out by itself.
    """

    def __init__(self, options: Mapping[str, Any], *, defer_account: bool = False) -> None:
        self.region: str = options["region"]
        self.account_id: str = str(options["account_id"])
        self.endpoint_url: str | None = options.get("endpoint_url") or None
        self.writes = 0
        self._fence: Mapping[str, Any] | None = options.get("fence") or None
        self._options = dict(options)
        self._defer = defer_account
        self._confirmed = False
        self._lock = threading.RLock()
        self._session: Any = None
        self._config: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def secrets(self) -> list[str]:
        """Values that must not be shown in progress events."""
        return [v for k in ("secret_key", "session_token") if (v := self._options.get(k))]

    def _open(self) -> None:
        if self.endpoint_url:
            host, port = check_endpoint(self.endpoint_url)
            # botocore would retry a refused connection for many seconds.
            try:
                socket.create_connection((host, port), CONNECT_TIMEOUT_SECONDS).close()
            except OSError as error:
                raise AwsFailure(
                    "Unreachable", explain("Unreachable", str(error), "", self.endpoint_url)
                ) from None
        # Imported here: argument errors must not cost the 0.3 s that this takes.
        from botocore.config import Config
        from botocore.exceptions import ProfileNotFound
        from botocore.session import Session

        try:
            self._session = Session(profile=self._options.get("profile") or None)
            self._session.get_config_variable("region")
        except ProfileNotFound as error:
            raise AwsFailure("NoCredentials", f"{error}; see aws configure list-profiles") from None
        self._config = Config(
            region_name=self.region,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            # Unlike "legacy", "standard" retries ThrottlingException and every 5xx.
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            user_agent_extra=USER_AGENT,
            max_pool_connections=16,
            # AWS_ENDPOINT_URL of some shell must not turn production's calls elsewhere.
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg] # not in the stubs
            s3={"addressing_style": "path"} if self.endpoint_url else {},
        )

    def client(self, service: str) -> Any:
        """Return the botocore client of ``service`` (``ecs``, ``elbv2``, …), always the same."""
        with self._lock:
            if self._session is None:
                self._open()
            if service not in self._clients:
                self._clients[service] = self._session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self.endpoint_url,
                    aws_access_key_id=self._options.get("access_key") or None,
                    aws_secret_access_key=self._options.get("secret_key") or None,
                    aws_session_token=self._options.get("session_token") or None,
                    verify=self._options.get("ca_bundle") or None,
                    config=self._config,
                )
            return self._clients[service]

    def confirm_account(self, arn: str) -> None:
        """Confirm the account by an ARN that AWS answered with.

        :raises AwsFailure: ``WrongAccount``.
        """
        fields = arn.split(":")
        self._compare_account(fields[4] if len(fields) > 5 else "unknown")

    def _compare_account(self, found: str) -> None:
        if found != self.account_id:
            raise AwsFailure(
                "WrongAccount",
                f"the credentials belong to AWS account {found}, the inventory says "
                f"{self.account_id}: use the right profile, or correct lyo_aws.account_id",
            )
        self._confirmed = True

    def _ensure_account(self, operation: str) -> None:
        if self._confirmed or (self._defer and operation.startswith(_READ_PREFIXES)):
            return
        with self._lock:
            if not self._confirmed:
                answer = self._send("sts", "get_caller_identity", {})
                self._compare_account(str(answer["Account"]))

    def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call ``operation`` (``update_service``) and return the answer.

        :raises AwsFailure: with AWS's code and a message for people.
        """
        self._ensure_account(operation)
        if not operation.startswith(_READ_PREFIXES):
            self.check_fence()
            self.writes += 1
        return self._send(service, operation, params)

    def check_fence(self) -> None:
        """Make sure that this run still holds the environment's lock; nothing without a fence.

        :raises AwsFailure: ``LockLost``, another run has taken over.
        """
        fence = self._fence
        if fence is None:
            return
        try:
            answer = self._send(
                "s3", "head_object", {"Bucket": fence["bucket"], "Key": fence["key"]}
            )
            metadata = answer.get("Metadata") or {}
        except AwsFailure as failure:
            if failure.code not in ("404", "NoSuchKey", "NotFound"):
                raise
            metadata = {}
        token, state = metadata.get("lyo-token"), metadata.get("lyo-state")
        if (token, state) != (str(fence["token"]), "held"):
            raise AwsFailure(
                "LockLost",
                f"this run no longer holds the lock (it had token {fence['token']}, now it is "
                f"{token or 'none'}, {state or 'gone'}): another run has taken over. Nothing more was "
                "written; look with status.yml, then run the same command again",
            )

    def all(self, service: str, operation: str, key: str, /, **params: Any) -> list[Any]:
        """Call a paginated ``operation`` and return the items of all pages under ``key``.

        :raises AwsFailure: as :meth:`call`.
        """
        self._ensure_account(operation)
        items: list[Any] = []

        def pages(client: Any) -> dict[str, Any]:
            for page in client.get_paginator(operation).paginate(**params):
                items.extend(page.get(key, []))
            return {}

        self._guarded(service, operation, pages)
        return items

    def _send(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._guarded(
            service, operation, lambda client: getattr(client, operation)(**params)
        )

    def _guarded(
        self, service: str, operation: str, send: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        name = f"{service}:{''.join(part.capitalize() for part in operation.split('_'))}"
        client = self.client(service)
        from botocore import exceptions as bc

        try:
            return send(client)
        except bc.ClientError as error:
            detail = error.response.get("Error", {})
            code, text = str(detail.get("Code", "Unknown")), str(detail.get("Message", ""))
            name = f"{service}:{error.operation_name}"
            message = explain(code, text, name, self.endpoint_url)
            raise AwsFailure(code, message, name) from None
        except (
            bc.NoCredentialsError,
            bc.PartialCredentialsError,
            bc.CredentialRetrievalError,
            bc.NoAuthTokenError,
            bc.SSOError,
        ) as error:
            message = f"{explain('NoCredentials', '', name, None)} ({error})"
            raise AwsFailure("NoCredentials", message, name) from None
        except (bc.HTTPClientError, bc.ConnectionError) as error:
            message = explain("Unreachable", str(error), name, self.endpoint_url)
            raise AwsFailure("Unreachable", message, name) from None
        except bc.BotoCoreError as error:
            raise AwsFailure("Client", explain("Client", str(error), name, None), name) from None
