"""Faults on purpose: the ways in which AWS, and the network before it, fail a caller.

A schedule is a seed and rules. A rule says which calls it meets and what happens to them:

| action | what the caller sees |
|---|---|
| `throttle` | ThrottlingException (HTTP 400), as every service throttles |
| `error` | InternalFailure (HTTP 500) |
| `expired` | ExpiredTokenException, as with credentials that end in the middle of a run |
| `cut` | the connection closes without an answer; `when` says before or after the call took effect |
| `slow` | the answer comes `seconds` later |
| `stale` | an earlier answer to the same read, up to `seconds` old: a read that does not show a write yet |
| `hold` | nothing, until somebody releases it; `when` as for `cut`. For killing the caller at that point |

Given over HTTP at `/_localcloud/faults` of the API endpoint, or by `python -m localcloud faults`.
Amazon S3 never answers stale: https://aws.amazon.com/s3/consistency/
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Generic, TypeVar

from localcloud.api import AwsError

PATH = "/_localcloud/faults"
# Where a request's environment has what the call is about.
RESOURCE = "localcloud.resource"
ACTIONS = ("throttle", "error", "expired", "cut", "slow", "stale", "hold")
MAX_HOLD_SECONDS = 300.0
KEPT_ANSWERS = 500

Answer = TypeVar("Answer")


class CutError(Exception):
    """The connection ends without an answer."""

    def __init__(self, *, executed: bool) -> None:
        super().__init__("the connection was cut")
        self.executed = executed


@dataclass(frozen=True)
class Rule:
    """One kind of fault, and which calls it meets.

    :ivar when: for `cut` and `hold`: `before` or `after` the call took effect.
    :ivar service: boto3's name; empty for every service.
    :ivar operation: API name (`UpdateService`); empty for every operation.
    :ivar kind: `read`, `write` or empty for both.
    :ivar user_agent: regular expression that the caller's user agent must contain.
    :ivar request: regular expression that the request's path, with the metadata of an S3 object
        behind it as `name=value`, must contain: which object is meant.
    :ivar resource: regular expression that what the call is about, as the record of calls names it,
        must contain.
    :ivar nth: only the nth call that the rule meets, from 1; 0 for each.
    :ivar first: only from this call on.
    :ivar last: only up to this call; 0 for no end.
    :ivar rate: share of the calls met, 0 to 1.
    :ivar seconds: wall seconds, for `slow` and `stale`.
    """

    action: str
    when: str = "before"
    service: str = ""
    operation: str = ""
    kind: str = ""
    user_agent: str = "lyo-ops"
    request: str = ""
    resource: str = ""
    nth: int = 0
    first: int = 0
    last: int = 0
    rate: float = 1.0
    seconds: float = 1.0

    def meets(self, service: str, operation: str, kind: str, environ: Mapping[str, Any]) -> bool:
        """Whether a call is of those the rule is about, its number and chance apart."""
        return (
            self.service in ("", service)
            and self.operation in ("", operation)
            and self.kind in ("", kind)
            and (self.action != "stale" or (kind == "read" and service != "s3"))
            and re.search(self.user_agent, str(environ.get("HTTP_USER_AGENT", ""))) is not None
            and re.search(self.request, _request(environ)) is not None
            and re.search(self.resource, str(environ.get(RESOURCE) or "")) is not None
        )


def parse(document: Mapping[str, Any]) -> tuple[int, list[Rule]]:
    """Return seed and rules of a schedule.

    :raises ValueError: naming what is wrong.
    """
    known = {field.name for field in fields(Rule)}
    rules = []
    for entry in document.get("rules", []):
        unknown = sorted(set(entry) - known)
        if unknown:
            raise ValueError(
                f"a rule has no {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )
        rule = Rule(**entry)
        if rule.action not in ACTIONS:
            raise ValueError(f"action {rule.action!r} is none of {', '.join(ACTIONS)}")
        if rule.when not in ("before", "after"):
            raise ValueError(f"when {rule.when!r} is neither before nor after")
        rules.append(rule)
    return int(document.get("seed", 0)), rules


class _Hold:
    """A call that waits to be released."""

    def __init__(self, name: str) -> None:
        self.name, self.released, self.drop = name, threading.Event(), False


class Faults(Generic[Answer]):
    """The schedule in force, and what has come of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seed = 0
        self._rules: list[Rule] = []
        self._met: list[int] = []
        self._calls = 0
        self._fired: list[dict[str, Any]] = []
        self._holds: list[_Hold] = []
        self._answers: dict[str, tuple[float, Answer]] = {}

    def set(self, seed: int, rules: Iterable[Rule]) -> None:
        """Put a schedule in force; counting begins anew."""
        self.clear()
        with self._lock:
            self._seed, self._rules = seed, list(rules)
            self._met = [0] * len(self._rules)

    def clear(self) -> None:
        """No more faults; calls that are held go on."""
        with self._lock:
            self._rules, self._met, self._calls = [], [], 0
            self._fired, self._answers = [], {}
        self.release(drop=False)

    def release(self, *, drop: bool) -> int:
        """Let held calls go on, or drop them; return how many there were."""
        with self._lock:
            holds, self._holds = self._holds, []
        for hold in holds:
            hold.drop = drop
            hold.released.set()
        return len(holds)

    def report(self) -> dict[str, Any]:
        """What is in force, what happened, what is held."""
        with self._lock:
            return {
                "seed": self._seed,
                "rules": [asdict(rule) for rule in self._rules],
                "calls": self._calls,
                "fired": list(self._fired),
                "held": [hold.name for hold in self._holds],
            }

    def around(
        self,
        service: str,
        operation: str,
        kind: str,
        environ: Mapping[str, Any],
        do: Callable[[], Answer],
    ) -> Answer:
        """Do a call, with what the schedule has for it.

        :raises AwsError: the fault is an error.
        :raises CutError: the connection is to be closed.
        """
        if not self._rules:
            return do()
        rule = self._choose(service, operation, kind, environ)
        if rule is None:
            return self._remembered(service, kind, environ, do)
        name = f"{service}:{operation}"
        if rule.action in _ERRORS:
            code, text, status = _ERRORS[rule.action]
            raise AwsError(code, text, status=status)
        if rule.action == "stale":
            return self._stale(rule, service, kind, environ, do)
        if rule.action == "slow":
            time.sleep(rule.seconds)
            return do()
        if rule.when == "before":
            if rule.action == "cut" or self._hold(name):
                raise CutError(executed=False)
            return do()
        answer = do()
        if rule.action == "cut" or self._hold(name):
            raise CutError(executed=True)
        return answer

    def _choose(
        self, service: str, operation: str, kind: str, environ: Mapping[str, Any]
    ) -> Rule | None:
        with self._lock:
            chosen = None
            for index, rule in enumerate(self._rules):
                if not rule.meets(service, operation, kind, environ):
                    continue
                self._met[index] += 1
                if chosen is None and self._due(rule, index):
                    chosen = rule
            self._calls += 1
            if chosen is not None:
                self._fired.append(
                    {"action": chosen.action, "when": chosen.when, "call": f"{service}:{operation}"}
                )
            return chosen

    def _due(self, rule: Rule, index: int) -> bool:
        number = self._met[index]
        if (rule.nth and number != rule.nth) or number < rule.first:
            return False
        if rule.last and number > rule.last:
            return False
        if rule.rate >= 1:
            return True
        # By the call's number, so that a seed gives the same faults in the same run of calls.
        return random.Random(f"{self._seed}:{index}:{number}").random() < rule.rate  # noqa: S311

    def _hold(self, name: str) -> bool:
        """Wait for the release; whether the call is dropped."""
        hold = _Hold(name)
        with self._lock:
            self._holds.append(hold)
        hold.released.wait(MAX_HOLD_SECONDS)
        return hold.drop

    def _remembered(
        self, service: str, kind: str, environ: Mapping[str, Any], do: Callable[[], Answer]
    ) -> Answer:
        answer = do()
        if kind == "read" and service != "s3":
            with self._lock:
                if len(self._answers) >= KEPT_ANSWERS:
                    self._answers.clear()
                # The oldest within reach stays: a later one would never lag behind a write.
                self._answers.setdefault(_key(environ), (time.monotonic(), answer))
        return answer

    def _stale(
        self,
        rule: Rule,
        service: str,
        kind: str,
        environ: Mapping[str, Any],
        do: Callable[[], Answer],
    ) -> Answer:
        with self._lock:
            kept = self._answers.get(_key(environ))
            if kept is not None and time.monotonic() - kept[0] > rule.seconds:
                del self._answers[_key(environ)]
                kept = None
        return kept[1] if kept is not None else self._remembered(service, kind, environ, do)

    def serve(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """WSGI application: GET reports, PUT sets, DELETE clears, POST releases (`?drop=1`)."""
        method, status = environ["REQUEST_METHOD"], "200 OK"
        answer: dict[str, Any] = {}
        if method == "PUT":
            try:
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                self.set(*parse(json.loads(body)))
            except (ValueError, TypeError, AttributeError) as error:
                status, answer = "400 Bad Request", {"problem": str(error)}
        elif method == "DELETE":
            self.clear()
        elif method == "POST":
            answer = {"released": self.release(drop="drop=1" in environ.get("QUERY_STRING", ""))}
        if method in ("GET", "PUT") and not answer:
            answer = self.report()
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html
_ERRORS = {
    "throttle": ("ThrottlingException", "Rate exceeded", 400),
    "error": ("InternalFailure", "The request processing has failed on purpose", 500),
    "expired": (
        "ExpiredTokenException",
        "The security token included in the request is expired",
        400,
    ),
}


def _key(environ: Mapping[str, Any]) -> str:
    """What makes two requests the same: where they go, what they ask and carry."""
    parts = (
        environ.get("REQUEST_METHOD"),
        environ.get("PATH_INFO"),
        environ.get("QUERY_STRING"),
        environ.get("HTTP_X_AMZ_TARGET"),
        str(environ.get("HTTP_AUTHORIZATION", "")).split("/aws4_request")[0].split("/", 2)[-1],
    )
    return hashlib.sha256(repr(parts).encode() + environ.get("localcloud.body", b"")).hexdigest()


_METADATA = "HTTP_X_AMZ_META_"


def _request(environ: Mapping[str, Any]) -> str:
    """What a rule's `request` is searched in."""
    metadata = [
        f"{name.removeprefix(_METADATA).replace('_', '-').lower()}={value}"
        for name, value in sorted(environ.items())
        if name.startswith(_METADATA)
    ]
    return " ".join([str(environ.get("PATH_INFO", "")), *metadata])


def cut(environ: Mapping[str, Any]) -> None:
    """Close a request's connection at once: the caller sees a reset, not an answer."""
    connection: socket.socket | None = environ.get("werkzeug.socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.shutdown(socket.SHUT_RDWR)
