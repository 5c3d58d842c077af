"""The one place where the modules meet AWS: session, retries, timeouts, endpoint, account, errors.

Every call goes through :meth:`Aws.call`, which makes sure that the credentials belong to the
account the inventory names before anything else is asked of it, and turns what goes wrong into
one :class:`AwsFailure` whose message says what to do.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from . import lyo_controller
from .lyo_aws_failure import MAX_ATTEMPTS, AwsFailure, explain

__all__ = ["Aws", "AwsFailure", "aws_argument_spec", "check_endpoint", "explain", "parallel"]

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 20
USER_AGENT = "lyo-ops"

# Operations that only read; any other one is a write and needs the account confirmed first.
_READ_PREFIXES = ("describe_", "list_", "get_", "head_", "batch_get_", "batch_check_", "filter_")
_READ_NAMES = tuple("".join(w.capitalize() for w in p.split("_")) for p in _READ_PREFIXES)
# The longest pause between two attempts of our own, in seconds; botocore's are the same.
MAX_PAUSE_SECONDS = 20.0


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


class Aws:
    """One session and configuration, one client per service, made when first needed.

    :param options: the module's ``aws`` option group.
    :param defer_account: let reads go before the account is confirmed, for a module that learns
        it from an ARN in its first answer (:meth:`confirm_account`); a write never goes before.
    :ivar writes: number of calls so far that may have changed something.

    Where the options have a ``fence``, every write first makes sure that the run still holds the
    environment's lock: AWS itself has no fencing, so a run that was stalled must find out by itself.
    So does every repetition of a write whose answer was lost: it is a write as well. A module that
    has outlived its controller writes nothing more.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        defer_account: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
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
        self._clients: dict[tuple[str, bool], Any] = {}
        self._sleep = sleep
        self._controller = lyo_controller.of_this_run()

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

    def client(self, service: str, *, once: bool = False) -> Any:
        """Return the botocore client of ``service`` (``ecs``, ``elbv2``, …), always the same.

        :param once: one that sends a request once and leaves repeating it to the caller.
        """
        with self._lock:
            if self._session is None:
                self._open()
            if (service, once) not in self._clients:
                config = self._config
                if once:
                    from botocore.config import Config

                    config = config.merge(
                        Config(retries={"mode": "standard", "total_max_attempts": 1})
                    )
                client = self._session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self.endpoint_url,
                    aws_access_key_id=self._options.get("access_key") or None,
                    aws_secret_access_key=self._options.get("secret_key") or None,
                    aws_session_token=self._options.get("session_token") or None,
                    verify=self._options.get("ca_bundle") or None,
                    config=config,
                )
                if self._fence is not None or self._controller is not None:
                    client.meta.events.register("request-created", self._before_attempt)
                self._clients[service, once] = client
            return self._clients[service, once]

    def _before_attempt(self, request: Any, operation_name: str, **_: Any) -> None:
        """Check the repetitions of a write; its first attempt is checked by :meth:`call`."""
        attempt = (request.context.get("retries") or {}).get("attempt", 1)
        if attempt > 1 and not operation_name.startswith(_READ_NAMES):
            self.check_write()

    def check_write(self) -> None:
        """Make sure that this run may still write: it lives, and holds the lock where there is one.

        :raises AwsFailure: ``Orphan``, the run is gone; as :meth:`check_fence`.
        """
        if self._controller is not None and not self._controller.alive():
            raise AwsFailure(
                "Orphan",
                f"ansible-playbook (process {self._controller.pid}) is gone: nothing more was written",
            )
        self.check_fence()

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
            self.check_write()
            self.writes += 1
        return self._send(service, operation, params)

    def create(
        self,
        service: str,
        operation: str,
        find: Callable[[], dict[str, Any] | None],
        /,
        **params: Any,
    ) -> dict[str, Any]:
        """Call an ``operation`` that makes a new thing each time and takes no client token.

        botocore would repeat it blindly, and a lost answer would make two. Here ``find`` looks
        for the thing before the call is repeated.

        :param find: returns an answer like the operation's, None where there is no such thing.
        :raises AwsFailure: as :meth:`call`.
        """
        self._ensure_account(operation)
        self.writes += 1
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self.check_write()
            try:
                return self._send(service, operation, params, once=True)
            except AwsFailure as failure:
                if not failure.passing or attempt == MAX_ATTEMPTS:
                    raise
                lost = failure.open
            # https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html; a second at
            # least, so that what was made can be seen.
            self._sleep(min(MAX_PAUSE_SECONDS, 1.0 + random.random() * 2 ** (attempt - 1)))  # noqa: S311
            found = find() if lost else None
            if found is not None:
                return found
        raise AssertionError  # the last attempt returns or raises

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

    def _send(
        self, service: str, operation: str, params: Mapping[str, Any], *, once: bool = False
    ) -> dict[str, Any]:
        return self._guarded(
            service, operation, lambda client: getattr(client, operation)(**params), once=once
        )

    def _guarded(
        self,
        service: str,
        operation: str,
        send: Callable[[Any], dict[str, Any]],
        *,
        once: bool = False,
    ) -> dict[str, Any]:
        name = f"{service}:{''.join(part.capitalize() for part in operation.split('_'))}"
        client = self.client(service, once=once)
        from botocore import exceptions as bc

        try:
            return send(client)
        except bc.ClientError as error:
            detail = error.response.get("Error", {})
            code, text = str(detail.get("Code", "Unknown")), str(detail.get("Message", ""))
            name = f"{service}:{error.operation_name}"
            message = explain(code, text, name, self.endpoint_url)
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise AwsFailure(code, message, name, status) from None
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
