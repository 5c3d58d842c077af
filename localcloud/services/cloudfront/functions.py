"""CloudFront functions: code in two stages, run for real on viewer-request.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/managing-functions.html
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.dataplane import javascript
from localcloud.dataplane.viewer import Request, Response
from localcloud.services.cloudfront import events
from localcloud.services.cloudfront.collections import check_etag, new_id

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions
_LARGEST_BYTES = 10 * 1024


@dataclass
class Stage:
    """The code and configuration of one stage."""

    code: bytes
    config: dict[str, Any]
    etag: str = field(default_factory=lambda: new_id(13))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Function:
    """A function; live is None until it is published."""

    name: str
    arn: str
    development: Stage
    live: Stage | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


class Functions:
    """The operations on functions, and their execution."""

    def __init__(self, account: str, used: Callable[[], Iterable[str]]) -> None:
        """used: gives the ARNs of the functions that distributions are associated with."""
        self._account, self._used = account, used
        self._functions: dict[str, Function] = {}

    def by_arn(self, arn: str) -> Function | None:
        """A function that is published, by ARN."""
        for function in self._functions.values():
            if function.arn == arn and function.live is not None:
                return function
        return None

    def viewer_request(
        self, arn: str, request: Request, distribution_id: str, domain: str
    ) -> Request | Response:
        """Run the live stage: the request to go on with, or the response it has made.

        Without checking the cache; an answer of its own reaches the viewer as it is. A function that
        throws gives 503, an answer that CloudFront does not take gives 502:
        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/http-503-service-unavailable.html
        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/http-502-bad-gateway.html
        """
        function = self.by_arn(arn)
        assert function is not None
        assert function.live is not None, "a distribution uses it, so it cannot be deleted"
        given = events.event(request, distribution_id, domain, uuid.uuid4().hex)
        try:
            return events.outcome(javascript.run(function.live.code.decode(), given), request)
        except javascript.FunctionError as error:
            return _failed(503, "FunctionExecutionError", error)
        except events.InvalidAnswerError as error:
            return _failed(502, "FunctionValidationError", error)

    # The operations

    def create(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateFunction.html"""
        name = call.params["Name"]
        if name in self._functions:
            raise AwsError(
                "FunctionAlreadyExists", f"A function named {name} exists already.", status=409
            )
        stage = _stage(call)
        arn = f"arn:aws:cloudfront::{self._account}:function/{name}"
        function = Function(name, arn, stage)
        self._functions[name] = function
        return self._answer(function, stage) | {"Location": f"/2020-05-31/function/{arn}"}

    def update(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateFunction.html"""
        function = self._function(call)
        check_etag(call, function.development.etag)
        function.development = _stage(call)
        return self._answer(function, function.development)

    def publish(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_PublishFunction.html"""
        function = self._function(call)
        check_etag(call, function.development.etag)
        function.live = Stage(function.development.code, function.development.config)
        return self._answer(function, function.live)

    def describe(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DescribeFunction.html"""
        function = self._function(call)
        return self._answer(function, self._chosen(function, call))

    def get(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetFunction.html"""
        stage = self._chosen(self._function(call), call)
        return {
            "FunctionCode": stage.code,
            "ETag": stage.etag,
            "ContentType": "application/octet-stream",
        }

    def delete(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteFunction.html"""
        function = self._function(call)
        check_etag(call, function.development.etag)
        if function.arn in self._used():
            raise AwsError(
                "FunctionInUse",
                "Cannot delete the function because it's attached to one or more cache behaviors.",
                status=409,
            )
        del self._functions[function.name]
        return {}

    def list(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListFunctions.html"""
        items = []
        for function in self._functions.values():
            stage = function.live if call.params.get("Stage") == "LIVE" else function.development
            if stage is not None:
                items.append(self._answer(function, stage)["FunctionSummary"])
        return {"FunctionList": {"MaxItems": 100, "Quantity": len(items), "Items": items}}

    def _function(self, call: Call) -> Function:
        name = call.params["Name"]
        if name not in self._functions:
            raise AwsError(
                "NoSuchFunctionExists", "The specified function does not exist.", status=404
            )
        return self._functions[name]

    def _chosen(self, function: Function, call: Call) -> Stage:
        """DEVELOPMENT unless LIVE is asked for."""
        if call.params.get("Stage") != "LIVE":
            return function.development
        if function.live is None:
            raise AwsError(
                "NoSuchFunctionExists", "The specified function does not exist.", status=404
            )
        return function.live

    def _answer(self, function: Function, stage: Stage) -> dict[str, Any]:
        status = "UNPUBLISHED"
        if function.live is not None:
            status = "DEPLOYED" if function.arn in self._used() else "UNASSOCIATED"
        return {
            "FunctionSummary": {
                "Name": function.name,
                "Status": status,
                "FunctionConfig": stage.config,
                "FunctionMetadata": {
                    "FunctionARN": function.arn,
                    "Stage": "LIVE" if stage is function.live else "DEVELOPMENT",
                    "CreatedTime": function.created,
                    "LastModifiedTime": stage.modified,
                },
            },
            "ETag": stage.etag,
        }


def _stage(call: Call) -> Stage:
    """The stage that a call gives; refuses code that cannot run."""
    config = call.params["FunctionConfig"]
    if config.get("KeyValueStoreAssociations", {}).get("Quantity"):
        raise NotReproducedError("cloudfront", "key value stores")
    code = call.params["FunctionCode"]
    code = code if isinstance(code, bytes) else base64.b64decode(code)
    if len(code) > _LARGEST_BYTES:
        raise AwsError("FunctionSizeLimitExceeded", "The function is too large.", status=413)
    text = code.decode()
    if javascript.modules_used(text):
        raise NotReproducedError("cloudfront", "modules of the function runtime")
    try:
        javascript.check(text)
    except javascript.FunctionError as error:
        raise AwsError("InvalidArgument", f"The function cannot be compiled: {error}") from error
    return Stage(code, config)


def _failed(status: int, kind: str, error: Exception) -> Response:
    """What a viewer sees; on AWS without the error's text, which is for whoever runs this."""
    return Response(
        status,
        {"Content-Type": "text/plain"},
        f"{kind}: {error}\n".encode(),
        source=f"{kind} from cloudfront",
    )
