"""HTTP checks: send a request, compare the answer, try again a bounded number of times."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from .lyo_aws import Aws, AwsFailure
from .lyo_progress import Progress

MAX_BODY_BYTES = 1_000_000
SIGNATURE_HEADER = "X-Hub-Signature-256"


@dataclass(frozen=True)
class Result:
    """How a check ended. ``status`` is 0 where no answer came; ``message`` says what was wrong."""

    name: str
    ok: bool
    status: int
    attempts: int
    milliseconds: int
    message: str


@dataclass(frozen=True)
class Request:
    """A request ready to be sent; ``shown`` is its address without anything secret."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    shown: str
    expect_body: str | None = None


class Secrets:
    """Reads secrets from Secrets Manager, each once."""

    def __init__(self, aws: Aws | None) -> None:
        self._aws = aws
        self._raw: dict[str, str] = {}

    def value(self, reference: Mapping[str, Any]) -> str:
        """Return the secret that ``{arn, key}`` names.

        :raises AwsFailure: it cannot be read, or has no such key.
        """
        arn, key = str(reference["arn"]), reference.get("key")
        if self._aws is None:
            raise AwsFailure("NoCredentials", f"a check needs the secret {arn}, but aws is not set")
        if arn not in self._raw:
            answer = self._aws.call("secretsmanager", "get_secret_value", SecretId=arn)
            self._raw[arn] = str(answer.get("SecretString", ""))
        if not key:
            return self._raw[arn]
        try:
            return str(json.loads(self._raw[arn])[key])
        except (ValueError, KeyError, TypeError):
            raise AwsFailure("NoSuchKey", f"the secret {arn} has no key {key}") from None


def signature(app_secret: str, body: bytes) -> str:
    """Return Meta's signature over the raw body.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def build(check: Mapping[str, Any], base_url: str, vault: Secrets) -> Request:
    """Return the request of a check.

    :raises ValueError: the address is not HTTP.
    :raises AwsFailure: a secret cannot be read.
    """
    url = check.get("url") or urljoin(base_url.rstrip("/") + "/", str(check["path"]).lstrip("/"))
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is not an http or https address; set base_url or url")
    headers = {str(k): str(v) for k, v in (check.get("headers") or {}).items()}
    for name, reference in (check.get("secret_headers") or {}).items():
        headers[str(name)] = vault.value(reference)
    content = check.get("body")
    body = b""
    if isinstance(content, str):
        body = content.encode()
    elif content is not None:
        body = json.dumps(content, ensure_ascii=False).encode()
        headers.setdefault("Content-Type", "application/json")
    shown, expect = url, None
    if check.get("handshake"):
        challenge = secrets.token_hex(8)
        # While it is being changed the secret holds several; the first is the one to register.
        token = (vault.value(check["handshake"]["verify_token"]).split() or [""])[0]
        if check["handshake"].get("wrong"):
            token = f"wrong-{secrets.token_hex(8)}"
        else:
            expect = challenge
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": token,
        }
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
    if check.get("signature"):
        key = vault.value(check["signature"]["app_secret"])
        if check["signature"].get("wrong"):
            key = f"wrong-{secrets.token_hex(8)}"
        headers[SIGNATURE_HEADER] = signature(key, body)
    return Request(str(check.get("method", "GET")), url, headers, body, shown, expect)


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Return where ``found`` lacks what ``wanted`` asks for; further members do not count."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return [f"{path or 'the answer'} is not an object"]
        lines = []
        for key, value in wanted.items():
            place = f"{path}.{key}" if path else str(key)
            if key in found:
                lines += differences(value, found[key], place)
            else:
                lines.append(f"{place} is missing")
        return lines
    if wanted != found:
        return [f"{path or 'the answer'} is {found!r}, not {wanted!r}"]
    return []


def judge(check: Mapping[str, Any], request: Request, status: int, body: bytes) -> str:
    """Return what is wrong with an answer, empty where nothing is."""
    text = body.decode("utf-8", "replace")
    excerpt = " ".join(text.split())[:300]
    allowed = list(check.get("status") or [200])
    if status not in allowed:
        wanted = " or ".join(map(str, allowed))
        return f"status {status}, expected {wanted}" + (f": {excerpt}" if excerpt else "")
    if request.expect_body is not None and text.strip() != request.expect_body:
        return "the challenge did not come back"
    if check.get("contains") and check["contains"] not in text:
        return f"the answer does not contain {check['contains']!r}"
    if check.get("json"):
        try:
            found = json.loads(text)
        except ValueError:
            return f"the answer is not JSON: {excerpt}"
        return "; ".join(differences(check["json"], found))
    return ""


def send(request: Request, timeout: float, context: ssl.SSLContext | None) -> tuple[int, bytes]:
    """Send a request and return status and body. Redirects are not followed.

    :raises OSError, http.client.HTTPException: no answer.
    """
    parts = urlsplit(request.url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "lyo-ops", **request.headers}
        connection.request(request.method, target, body=request.body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_BODY_BYTES)
    finally:
        connection.close()


def run_check(
    check: Mapping[str, Any],
    base_url: str,
    vault: Secrets,
    context: ssl.SSLContext | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run one check until it is right or its attempts are used up.

    :raises AwsFailure: a secret cannot be read just now, which says nothing about what is checked.
    """
    name = str(check["name"])
    try:
        request = build(check, base_url, vault)
    except (ValueError, AwsFailure) as error:
        if isinstance(error, AwsFailure) and (error.passing or error.expired):
            raise
        return Result(name, False, 0, 0, 0, str(error))
    attempts = max(1, int(check.get("attempts") or 1))
    status, message, milliseconds = 0, "", 0
    for attempt in range(1, attempts + 1):
        if attempt > 1:
            sleep(float(check.get("delay") or 0.0))
        started = time.monotonic()
        try:
            status, body = send(request, float(check.get("timeout") or 5.0), context)
            message = judge(check, request, status, body)
        except (OSError, http.client.HTTPException) as error:
            status, message = 0, f"no answer: {error or type(error).__name__}"
        milliseconds = round((time.monotonic() - started) * 1000)
        if not message:
            return Result(name, True, status, attempt, milliseconds, "")
    shown = f"{request.method} {request.shown}: {message}"
    return Result(name, False, status, attempts, milliseconds, shown)


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the TLS context that trusts ``ca_bundle``, or the system's CAs without one."""
    return ssl.create_default_context(cafile=ca_bundle or None)


def run_checks(
    checks: Sequence[Mapping[str, Any]],
    base_url: str,
    aws: Aws | None,
    ca_bundle: str | None,
    progress: Progress,
) -> list[Result]:
    """Run checks in order, all of them, also after one has failed.

    :raises AwsFailure: as :func:`run_check`.
    """
    vault = Secrets(aws)
    context = tls_context(ca_bundle)
    results = []
    for number, check in enumerate(checks, 1):
        progress("check", f"{check['name']} ({number} of {len(checks)})")
        result = run_check(check, base_url, vault, context)
        if not result.ok:
            progress("check", f"{result.name} failed: {result.message}")
        results.append(result)
    return results


def failures(results: Sequence[Result]) -> list[str]:
    """Return a line for each check that failed."""
    return [f"check {r.name} failed after {r.attempts}: {r.message}" for r in results if not r.ok]


def run(module: Any) -> None:
    """Run the module ``http_checks``."""
    params = module.params
    checks = params["checks"]
    if module.check_mode:
        module.exit_json(changed=False, results=[], reasons=[f"would run {len(checks)} checks"])
    aws = Aws(params["aws"]) if params.get("aws") else None
    bundle = params.get("ca_bundle") or (params.get("aws") or {}).get("ca_bundle")
    progress = Progress("checks", aws.secrets if aws else ())
    try:
        results = run_checks(checks, params.get("base_url") or "", aws, bundle, progress)
    except OSError as error:
        module.fail_json(msg=f"the CA bundle {bundle} cannot be used: {error}")
    except AwsFailure as failure:
        module.fail_json(msg=failure.message, reasons=[failure.message], changed=False)
    reasons = failures(results)
    answer = {"results": [asdict(r) for r in results], "reasons": reasons, "changed": False}
    if reasons:
        module.fail_json(msg=f"{len(reasons)} of {len(checks)} checks failed", **answer)
    module.exit_json(**answer)
