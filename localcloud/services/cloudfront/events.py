"""What a CloudFront function on viewer-request is handed, and what its answer means. Pure.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import quote

from localcloud.dataplane.viewer import Request, Response

GENERATED = "FunctionGeneratedResponse from cloudfront"
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
_FORBIDDEN = re.compile(
    r"^(connection|expect|keep-alive|proxy-authenticate|proxy-authorization|proxy-connection"
    r"|trailer|upgrade|x-accel-.*|x-amz-cf-.*|x-amzn-.*|x-cache|x-edge-.*|x-forwarded-proto"
    r"|x-real-ip|transfer-encoding|via)$"
)


class InvalidAnswerError(Exception):
    """A function returned what CloudFront does not take; the message says what."""


def event(request: Request, distribution_id: str, domain: str, request_id: str) -> dict[str, Any]:
    """The event of a viewer's request."""
    return {
        "version": "1.0",
        "context": {
            "distributionDomainName": domain,
            "distributionId": distribution_id,
            "eventType": "viewer-request",
            "requestId": request_id,
        },
        "viewer": {"ip": request.ip},
        "request": {
            "method": request.method,
            "uri": request.path,
            "querystring": _multi(_pairs(request.query, "&")),
            "headers": _multi(
                [
                    (name, value)
                    for name, values in request.headers.items()
                    if name != "cookie"
                    for value in values
                ]
            ),
            "cookies": _multi(_pairs("; ".join(request.headers.get("cookie", [])), ";")),
        },
    }


def _pairs(text: str, separator: str) -> list[tuple[str, str]]:
    found = [part.strip().partition("=") for part in text.split(separator) if part.strip()]
    return [(name, value) for name, _, value in found]


def _multi(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {
        name: {"value": found[0]}
        | ({"multiValue": [{"value": value} for value in found]} if len(found) > 1 else {})
        for name, found in values.items()
    }


def outcome(answer: Any, request: Request) -> Request | Response:
    """The request to go on with, or the response that the function has made.

    Raises InvalidAnswerError for anything that CloudFront's validation would stop.
    """
    if not isinstance(answer, dict):
        raise InvalidAnswerError("The function returned neither a request nor a response.")
    if "statusCode" in answer:
        return _response(answer)
    if answer.get("method", request.method) != request.method:
        raise InvalidAnswerError("A function cannot change the method.")
    path = answer.get("uri")
    if not isinstance(path, str) or not path.startswith("/"):
        raise InvalidAnswerError("The request's uri must be a string that begins with /.")
    headers = {
        name: [entry["value"] for entry in value.get("multiValue", [value])]
        for name, value in _headers(answer).items()
    }
    return Request(
        request.method,
        quote(path, safe="/%~:@!$&'()*+,;="),
        request.query,
        headers,
        request.host,
        request.ip,
    )


def _headers(answer: dict[str, Any]) -> dict[str, Any]:
    headers = answer.get("headers", {})
    if not isinstance(headers, dict):
        raise InvalidAnswerError("headers must be an object.")
    for name, value in headers.items():
        if name != name.lower():
            raise InvalidAnswerError(f"The header name {name} must be in lower case.")
        if not isinstance(value, dict) or not isinstance(value.get("value"), str):
            raise InvalidAnswerError(f"The header {name} must be an object with a value.")
    return headers


def _response(answer: dict[str, Any]) -> Response:
    status = answer["statusCode"]
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise InvalidAnswerError("statusCode must be a number from 200 to 599.")
    headers = _headers(answer)
    for name in headers:
        if _FORBIDDEN.match(name):
            raise InvalidAnswerError(f"A function cannot add the header {name}.")
    if answer.get("cookies"):
        raise InvalidAnswerError("The local cloud does not reproduce cookies of functions.")
    return Response(
        status,
        {
            "-".join(part.capitalize() for part in name.split("-")): value["value"]
            for name, value in headers.items()
            if name != "content-length"
        },
        _body(answer.get("body", "")),
        source=GENERATED,
        reason=answer.get("statusDescription"),
    )


def _body(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if not isinstance(body, dict) or not isinstance(body.get("data"), str):
        raise InvalidAnswerError("body must be a string, or an object with encoding and data.")
    if body.get("encoding", "text") == "text":
        return str(body["data"]).encode()
    if body["encoding"] != "base64":
        raise InvalidAnswerError("The body's encoding must be text or base64.")
    try:
        return base64.b64decode(body["data"], validate=True)
    except binascii.Error as error:
        raise InvalidAnswerError("The body is not valid base64.") from error
