"""Meta's Graph API over HTTP: kept connections, proof of the app, retries, limits.

Calls are not put together: Meta counts each call of a batch by itself, and a batch would mix the
tokens and the failures of its tenants.
https://developers.facebook.com/docs/graph-api/batch-requests
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..lyo_aws import AwsFailure, check_endpoint
from .errors import NETWORK, GraphError, from_answer
from .rate import Pacer, account_usage, app_usage

PRODUCTION = "https://graph.facebook.com"
MAX_ANSWER_BYTES = 4_000_000
PAGE_SIZE = 100
MAX_PAGES = 1000
FIRST_PAUSE_SECONDS = 0.25
MAX_PAUSE_SECONDS = 20.0
# Where Meta does not say how long a limit holds.
LIMIT_PAUSE_SECONDS = 30.0


def check_base_url(url: str, env: str) -> str:
    """Return the base URL, which is Meta's own but for a double on this machine and env=local.

    :raises AwsFailure: ``BadEndpoint``; tokens must not reach anybody else.
    """
    url = url.rstrip("/")
    if url == PRODUCTION and env != "local":
        return url
    if env != "local":
        raise AwsFailure(
            "BadEndpoint",
            f"lyo_webhooks.graph_url is {url!r}, but for {env} it can only be {PRODUCTION}",
        )
    try:
        check_endpoint(url)
    except AwsFailure:
        raise AwsFailure(
            "BadEndpoint",
            f"lyo_webhooks.graph_url is {url!r}, but env=local may call a double on this machine only "
            "(http://127.x.y.z:port); Meta itself is for staging and production",
        ) from None
    return url


def appsecret_proof(app_secret: str, token: str) -> str:
    """Return what proves that a call comes from whoever has the app's secret.

    https://developers.facebook.com/docs/graph-api/guides/secure-requests
    """
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()


@dataclass
class Counts:
    """What was called: tries, those that Meta refused for a limit, those tried again."""

    calls: int = 0
    writes: int = 0
    limited: int = 0
    retried: int = 0


class Graph:
    """A client of one app, for any number of threads.

    :param base_url: checked by :func:`check_base_url`.
    :param attempts: how often a call is made until it is given up for the moment.
    :param patience: seconds that one call waits for limits altogether.
    """

    def __init__(
        self,
        base_url: str,
        version: str,
        app_secret: str,
        pacer: Pacer,
        *,
        attempts: int = 6,
        timeout: float = 20.0,
        patience: float = 900.0,
        context: ssl.SSLContext | None = None,
        before_write: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(base_url)
        self._scheme, self._netloc, self._path = parts.scheme, parts.netloc, parts.path
        self.version, self._secret, self.pacer = version, app_secret, pacer
        self._attempts, self._timeout, self._patience = attempts, timeout, patience
        self._context = context or (
            ssl.create_default_context() if parts.scheme == "https" else None
        )
        self._before_write = before_write
        self._sleep = sleep
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self.counts = Counts()

    def get(self, path: str, token: str, account: str = "", **query: str) -> dict[str, Any]:
        """Read a node. ``account`` is whose limit it counts towards, empty for the app's.

        :raises GraphError: it failed for good, or too often.
        """
        return self._call("GET", path, token, account, query, None)

    def pages(self, path: str, token: str, account: str = "", **query: str) -> list[dict[str, Any]]:
        """Read an edge, all of its pages.

        https://developers.facebook.com/docs/graph-api/results
        """
        items: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            asked = {**query, "limit": str(PAGE_SIZE), **after}
            answer = self._call("GET", path, token, account, asked, None)
            items += answer.get("data") or []
            paging = answer.get("paging") or {}
            cursor = (paging.get("cursors") or {}).get("after")
            if not paging.get("next") or not cursor:
                return items
            # Only the cursor is taken: the address in `next` may hold the token.
            after = {"after": str(cursor)}
        raise GraphError(NETWORK, f"{path} has more than {MAX_PAGES} pages", status=200)

    def write(
        self, method: str, path: str, token: str, account: str, body: Mapping[str, Any] | None
    ) -> None:
        """Write; doing the same twice does no harm, so a lost answer is a reason to try again.

        :raises GraphError: it failed for good, too often, or Meta did not say that it succeeded.
        """
        answer = self._call(method, path, token, account, {}, body)
        # A boolean on some pages, a string on others.
        if str(answer.get("success")).lower() != "true":
            raise GraphError(NETWORK, f"{method} {path} did not succeed", status=200)

    def close(self) -> None:
        """Close the connections that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _call(
        self,
        method: str,
        path: str,
        token: str,
        account: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        waited, pause, tries = 0.0, FIRST_PAUSE_SECONDS, 0
        while True:
            self.pacer.wait()
            if method != "GET":
                self._before_write()
            tries += 1
            try:
                return self._once(method, path, token, account, query, body)
            except GraphError as error:
                limited = error.limited
                if not limited and (not error.again or tries >= self._attempts):
                    raise
                seconds = random.uniform(pause / 2, pause)  # noqa: S311
                if limited:
                    known = error.retry_after or min(LIMIT_PAUSE_SECONDS, 4 * seconds)
                    seconds = known + random.uniform(0, 1)  # noqa: S311
                    # One that is refused although there was no limit ends with its tries.
                    if waited + seconds > self._patience or tries >= 2 * self._attempts:
                        raise
                    waited += seconds
                self._note(limited)
                if limited == "app":
                    self.pacer.refused(seconds)
                self._sleep(seconds)
                pause = min(MAX_PAUSE_SECONDS, pause * 2)

    def _note(self, limited: str) -> None:
        with self._lock:
            self.counts.retried += 1
            self.counts.limited += bool(limited)

    def _once(
        self,
        method: str,
        path: str,
        token: str,
        account: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        with self._lock:
            self.counts.calls += 1
            self.counts.writes += method != "GET"
        asked = {**query, "appsecret_proof": appsecret_proof(self._secret, token)}
        target = f"{self._path}/{self.version}/{path}?{urlencode(asked)}"
        # The token in a header: addresses end up in logs.
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "lyo-ops"}
        data = b""
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            status, answered, raw = self._send(method, target, headers, data)
        except (OSError, http.client.HTTPException) as error:
            raise GraphError(
                NETWORK, f"Meta gave no answer: {error or type(error).__name__}"
            ) from None
        self.pacer.learn(app_usage(answered))
        try:
            content = json.loads(raw)
        except ValueError:
            content = None
        if status == 200 and isinstance(content, dict) and "error" not in content:
            self.pacer.accepted()
            return content
        refused = from_answer(status, content)
        if not refused.limited:
            self.pacer.accepted()
        if refused.limited == "account":
            refused.retry_after = account_usage(answered, account).regain_seconds
        if (
            refused.limited
            and not refused.retry_after
            and answered.get("retry-after", "").isdigit()
        ):
            refused.retry_after = float(answered["retry-after"])
        raise refused

    def _send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Send on a kept connection; one that Meta has closed meanwhile is replaced once."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self._connect()
            try:
                connection.request(method, target, body=body or None, headers=dict(headers))
                answer = connection.getresponse()
                raw = answer.read(MAX_ANSWER_BYTES)
            except (OSError, http.client.HTTPException):
                connection.close()
                if kept is not None and method == "GET":
                    continue
                raise
            if answer.will_close:
                connection.close()
            else:
                with self._lock:
                    self._idle.append(connection)
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, raw

    def _connect(self) -> http.client.HTTPConnection:
        if self._scheme == "https":
            return http.client.HTTPSConnection(
                self._netloc, timeout=self._timeout, context=self._context
            )
        return http.client.HTTPConnection(self._netloc, timeout=self._timeout)
