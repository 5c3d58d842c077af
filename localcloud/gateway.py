"""The WSGI application in front of everything: identifies, records, dispatches each API call."""

from __future__ import annotations

import io
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.validate import ParamValidator
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SERIALIZERS, ResponseDict, get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException, NotFound

from localcloud.api import AwsError, Call, Handler, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.credentials import check_credentials
from localcloud.faults import PATH as FAULTS_PATH
from localcloud.faults import RESOURCE, CutError, Faults, cut
from localcloud.recorder import RecordedCall, Recorder, kind_of

log = logging.getLogger("localcloud")

# Signing names that are not the service's name in boto3.
_BY_SIGNING_NAME = {
    "access-analyzer": "accessanalyzer",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
}
# Everything else is refused: moto knows 200 more services, without anything behind them.
SERVICES = frozenset(
    [
        "accessanalyzer",
        "acm",
        "application-autoscaling",
        "backup",
        "budgets",
        "ce",
        "cloudfront",
        "cloudwatch",
        "ec2",
        "ecr",
        "ecs",
        "elasticache",
        "elbv2",
        "events",
        "guardduty",
        "iam",
        "kms",
        "logs",
        "rds",
        "resourcegroupstaggingapi",
        "route53",
        "s3",
        "s3control",
        "scheduler",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "sts",
        "wafv2",
    ]
)
_CREDENTIAL = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/"
)
# The member that names what a call is about, for the record.
_RESOURCE_MEMBER = re.compile(
    r"(?i)^(service|cluster|taskDefinition|family|serviceDeploymentArn|.*(Name|Identifier|Arn|Id)|Bucket|Key)$"
)

StartResponse = Callable[..., Any]


@dataclass
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    error: str | None = None


@dataclass(frozen=True)
class _Target:
    """What a request is aimed at; `operation` is None where it could not be told."""

    service: str
    region: str
    access_key: str | None
    operation: OperationModel | None
    uri_params: dict[str, Any]


class Gateway:
    """Answers AWS API calls: ours by the operation table, the rest by moto."""

    def __init__(self, cloud: Cloud, recorder: Recorder) -> None:
        self._cloud = cloud
        self._recorder = recorder
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._faults: Faults[_Answer] = Faults()
        cloud.routes[FAULTS_PATH] = self._faults.serve

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """WSGI entry point."""
        for prefix, application in self._cloud.routes.items():
            if environ.get("PATH_INFO", "").startswith(prefix):
                return application(environ, start_response)
        arrived, started = datetime.now(UTC), time.perf_counter()
        _buffer_body(environ)
        target = _identify(environ)
        request_id = str(uuid.uuid4())
        params: dict[str, Any] = {}
        kind = kind_of(_name(target)) if target.operation else _kind_of_method(environ)
        dropped = False
        try:
            if target.service in SERVICES:
                params.update(_parse(environ, target))
            environ[RESOURCE] = _resource(_name(target), params)
            answer = self._faults.around(
                target.service,
                _name(target),
                kind,
                environ,
                lambda: self._answer(environ, target, params),
            )
        except CutError as fault:
            dropped = True
            answer = _Answer(200 if fault.executed else 0, [], b"", error="ConnectionCut")
        except AwsError as error:
            answer = _error_answer(environ, target, error)
        except Exception:
            log.exception("error in %s %s", target.service, _name(target))
            answer = _error_answer(
                environ,
                target,
                AwsError(
                    "InternalFailure",
                    f"The local cloud failed in {target.service} {_name(target)}; its log has the reason.",
                    status=500,
                ),
            )
        self._recorder.add(
            RecordedCall(
                time=arrived.isoformat(timespec="microseconds"),
                service=target.service,
                operation=_name(target),
                kind=kind,
                status=answer.status,
                error=answer.error,
                region=target.region,
                resource=environ.get(RESOURCE),
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                request_id=request_id,
                user_agent=environ.get("HTTP_USER_AGENT", "")[:400],
            )
        )
        if dropped:
            cut(environ)
        # moto numbers requests too; the record and the client must speak of the same one.
        headers = [h for h in answer.headers if h[0].lower() != "x-amzn-requestid"]
        headers.append(("x-amzn-RequestId", request_id))
        start_response(f"{answer.status} {'OK' if answer.status < 400 else 'Error'}", headers)
        return [answer.body]

    def _answer(self, environ: dict[str, Any], target: _Target, params: dict[str, Any]) -> _Answer:
        if target.service not in SERVICES:
            raise NotReproducedError(target.service, "at all")
        if target.operation is None:
            return self._ask_moto(environ, target)
        operation = str(target.operation.name)
        call = Call(
            target.service, operation, self._cloud.settings.account_id, target.region, params
        )
        before, after = self._cloud.api.hooks(target.service, operation)
        with self._cloud.lock:
            check_credentials(self._cloud, target.access_key, self._cloud.clock.now())
            for hook in before:
                hook(call)
            handler = self._cloud.api.handler(target.service, operation)
            if handler is None:
                answer = self._ask_moto(environ, target)
            else:
                _validate(target.operation, params)
                answer = _serialize(environ, target.operation, _handle(handler, call))
            if answer.status < 400:
                for hook in after:
                    hook(call)
        return answer

    def _ask_moto(self, environ: dict[str, Any], target: _Target) -> _Answer:
        """moto's answer; what moto has not implemented is refused instead of retried for minutes."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started.append((status, headers))

        try:
            body = b"".join(self._moto(environ, start_response))
        except NotImplementedError as missing:
            raise NotReproducedError(target.service, _name(target)) from missing
        status = int(started[0][0].split()[0])
        # Where moto has not even a path for it, its web framework answers, with a page for people.
        if status == 404 and body.startswith(b"<!doctype html>"):
            raise NotReproducedError(target.service, _name(target))
        code = _error_code(body, started[0][1]) if status >= 400 else None
        return _Answer(status, started[0][1], body, code)


def _handle(handler: Handler, call: Call) -> object:
    """Our handler's result; an error that moto's backend raised under it becomes the answer."""
    try:
        return handler(call) or {}
    except HTTPException as error:
        code = getattr(error, "error_type", None)
        if code is None:
            raise
        message = str(getattr(error, "message", code))
        raise AwsError(str(code), message, status=error.code or 400) from error
    except ServiceException as error:
        raise AwsError(error.code, error.message) from error


def _buffer_body(environ: dict[str, Any]) -> None:
    """Read the body once, so that more than one reader can have it."""
    length = environ.get("CONTENT_LENGTH")
    stream = environ["wsgi.input"]
    body = stream.read(int(length)) if length else b""
    if not length and environ.get("wsgi.input_terminated"):
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
    environ["localcloud.body"] = body
    environ["wsgi.input"] = io.BytesIO(body)


def _copy(environ: dict[str, Any]) -> dict[str, Any]:
    return {**environ, "wsgi.input": io.BytesIO(environ["localcloud.body"])}


def _identify(environ: dict[str, Any]) -> _Target:
    """Service, region and operation of a request, from its signature's scope and the model."""
    scope = environ.get("HTTP_AUTHORIZATION", "")
    if not scope:
        presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
        scope = f"Credential={unquote(presigned)}/" if presigned else ""
    match = _CREDENTIAL.search(scope)
    # An unsigned request is S3's (public objects), as moto treats it too.
    signing_name = match["service"] if match else "s3"
    service = _BY_SIGNING_NAME.get(signing_name, signing_name)
    region = match["region"] if match else "us-east-1"
    key = match["key"] if match else None
    operation: OperationModel | None = None
    uri_params: dict[str, Any] = {}
    if service in SERVICES:
        try:
            operation, uri_params = get_service_router(service).match(Request(_copy(environ)))
        except (NotFound, NotImplementedError):
            operation = None
    return _Target(service, region, key, operation, uri_params)


def _parse(environ: dict[str, Any], target: _Target) -> dict[str, Any]:
    request = Request(_copy(environ))
    operation = target.operation
    if operation is None:
        return {}
    # The keys and bytes of S3 objects are read by moto alone: copying them here costs memory.
    if target.service == "s3":
        return dict(target.uri_params)
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    if protocol not in PROTOCOL_PARSERS:
        raise NotReproducedError(target.service, f"in the protocol {protocol}")
    parsed: dict[str, Any] = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": target.uri_params,
        }
    )
    return parsed


def _validate(operation: OperationModel, params: dict[str, Any]) -> None:
    if operation.input_shape is None:
        return
    report = ParamValidator().validate(params, operation.input_shape)
    if report.has_errors():
        raise AwsError("ValidationException", report.generate_report())


def _serialize(environ: dict[str, Any], operation: OperationModel, result: object) -> _Answer:
    model = operation.service_model
    protocol = determine_request_protocol(model, environ.get("CONTENT_TYPE", ""))
    serializer = get_serializer_class(model.service_name, protocol)(operation)
    return _wire(serializer.serialize(result))


def _wire(response: ResponseDict) -> _Answer:
    body = response["body"]
    return _Answer(
        int(response["status_code"]),
        [(name, str(value)) for name, value in response["headers"].items()],
        body if isinstance(body, bytes) else str(body).encode(),
    )


def _error_answer(environ: dict[str, Any], target: _Target, error: AwsError) -> _Answer:
    """The error in the service's own protocol; as JSON for a service that is not known."""
    if target.service not in SERVICES:
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code)]
        return _Answer(error.status, headers, body, error.code)
    model = get_service_model(target.service)
    operation = target.operation or model.operation_model(next(iter(model.operation_names)))
    protocol = _answered_in(model, environ.get("CONTENT_TYPE", ""))
    serializer = get_serializer_class(model.service_name, protocol)(operation)
    response = serializer.serialize(error)
    answer = _wire(response)
    answer.error = error.code
    if error.status != 400:
        answer.status = error.status
    return answer


def _answered_in(model: ServiceModel, content_type: str) -> str:
    """The protocol of an error: the request's; where that is not spoken here, another of the service's.

    https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html is spoken by CloudWatch too.
    """
    try:
        protocol = determine_request_protocol(model, content_type)
    except NotImplementedError:
        protocol = str(model.protocol)
    spoken = [protocol, *model.metadata.get("protocols", [])]
    return str(next(name for name in spoken if name in SERIALIZERS))


def _error_code(body: bytes, headers: list[tuple[str, str]]) -> str:
    """The error code of an answer by moto, in whichever protocol."""
    for name, value in headers:
        if name.lower() == "x-amzn-errortype":
            return value.split(":")[0].rsplit("#", 1)[-1]
    found = re.search(rb"<Code>([^<]+)</Code>|\"__type\":\s*\"(?:[^\"#]*#)?([^\"]+)\"", body)
    if found:
        return (found[1] or found[2]).decode()
    return "Unknown"


def _name(target: _Target) -> str:
    return str(target.operation.name) if target.operation else "Unknown"


def _kind_of_method(environ: dict[str, Any]) -> str:
    # The JSON protocols name the operation in a header, also of a service that is not known here.
    named = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if named:
        return kind_of(named)
    return "read" if environ.get("REQUEST_METHOD") in ("GET", "HEAD") else "write"


def _resource(operation: str, params: dict[str, Any]) -> str | None:
    """What the call is about: `Bucket/Key` for S3, the definition of a task that is run, else the
    first member that names something.
    """
    if "Bucket" in params:
        return "/".join(str(params[name]) for name in ("Bucket", "Key") if name in params)
    members = {"taskDefinition": params.get("taskDefinition")} if operation == "RunTask" else params
    for name, value in members.items():
        if isinstance(value, str) and _RESOURCE_MEMBER.match(name) and "oken" not in name:
            return value[:200]
    return None
