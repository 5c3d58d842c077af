"""Which requests are sent again when no answer came, and what is asked first."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.endpoint
import pytest
from ansible.module_utils import lyo_aws
from ansible.module_utils.lyo_aws import Aws, AwsFailure
from ansible.module_utils.lyo_aws_failure import MAX_ATTEMPTS
from ansible.module_utils.lyo_controller import CONTROLLER_VARIABLE, leave_run

from .fakes import failure

LOST, THROTTLED = "lost", "throttled"


class Server(ThreadingHTTPServer):
    """Speaks AWS's JSON; `trouble` is used up from the left, one a request.

    :ivar asked: the operations that arrived, in order.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.trouble: list[str] = []
        self.asked: list[str] = []
        self.token = "7"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or "GetCallerIdentity"
        self.server.asked.append(name)
        if name == "GetCallerIdentity":
            self._say(200, IDENTITY, "text/xml")
        elif (trouble := self.server.trouble.pop(0) if self.server.trouble else "") == LOST:
            self.close_connection = True
        elif trouble == THROTTLED:
            self._say(400, json.dumps({"__type": "ThrottlingException", "message": "slow down"}))
        else:
            self._say(200, json.dumps({"taskDefinition": {"family": "made"}}))

    def do_HEAD(self) -> None:
        self.server.asked.append("HeadObject")
        self.send_response(200)
        self.send_header("x-amz-meta-lyo-token", self.server.token)
        self.send_header("x-amz-meta-lyo-state", "held")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _say(self, status: int, body: str, kind: str = "application/x-amz-json-1.1") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>"
    "<Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>x</UserId>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda _: None)
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def aws(server: Server) -> Aws:
    return Aws(options(server), sleep=lambda _: None)


def options(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "region": "eu-south-1",
        "account_id": "123456789012",
        "endpoint_url": f"http://127.0.0.1:{server.server_address[1]}",
        "access_key": "AKIALYOUNITTEST00001",
        "secret_key": "a-secret-key-of-a-test",
        **more,
    }


def register(aws: Aws, find: Callable[[], Any]) -> Any:
    return aws.create(
        "ecs", "register_task_definition", find, family="lyo", containerDefinitions=[]
    )["taskDefinition"]


def test_what_may_have_been_made_is_looked_for_before_it_is_made_again(
    aws: Aws, server: Server
) -> None:
    server.trouble = [LOST]
    assert register(aws, lambda: {"taskDefinition": "found"}) == "found"
    assert server.asked.count("RegisterTaskDefinition") == 1


def test_what_was_not_made_is_made(aws: Aws, server: Server) -> None:
    server.trouble = [LOST, LOST]
    looked: list[int] = []
    assert register(aws, lambda: looked.append(1)) == {"family": "made"}
    assert server.asked.count("RegisterTaskDefinition") == 3
    assert len(looked) == 2
    assert aws.writes == 1


def test_a_throttled_call_has_made_nothing(aws: Aws, server: Server) -> None:
    server.trouble = [THROTTLED]
    assert register(aws, lambda: pytest.fail("looked")) == {"family": "made"}


def test_it_is_not_tried_for_ever(aws: Aws, server: Server) -> None:
    server.trouble = [LOST] * 20
    with pytest.raises(AwsFailure) as caught:
        register(aws, lambda: None)
    assert caught.value.open
    assert server.asked.count("RegisterTaskDefinition") == MAX_ATTEMPTS


def fenced(server: Server) -> Aws:
    fence = {"bucket": "state", "key": "lyo.lock.json", "token": 7}
    return Aws(options(server, fence=fence), sleep=lambda _: None)


def test_a_write_is_fenced_again_before_it_is_repeated(server: Server) -> None:
    aws = fenced(server)
    server.trouble = [LOST]
    plain, seen = aws.check_fence, []

    def check() -> None:
        seen.append(1)
        if len(seen) == 2:
            server.token = "8"  # another run has taken over while the answer was awaited
        plain()

    aws.check_fence = check  # type: ignore[method-assign]
    with pytest.raises(AwsFailure, match="another run has taken over"):
        aws.call("ecs", "stop_service_deployment", serviceDeploymentArn="a" * 20)
    assert server.asked.count("StopServiceDeployment") == 1


def test_a_read_is_repeated_without_a_fence(server: Server) -> None:
    aws = fenced(server)
    server.token, server.trouble = "8", [LOST, THROTTLED]
    aws.call("ecs", "list_clusters")
    assert server.asked.count("ListClusters") == 3
    assert "HeadObject" not in server.asked


def test_a_creation_is_fenced_at_each_attempt(server: Server) -> None:
    aws = fenced(server)
    server.trouble = [THROTTLED]
    assert register(aws, lambda: None) == {"family": "made"}
    assert server.asked.count("HeadObject") == 2


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is said to be ansible-playbook."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setenv(CONTROLLER_VARIABLE, str(process.pid))
        yield process
        process.kill()


def test_a_module_that_has_outlived_its_controller_writes_nothing_more(
    controller: subprocess.Popen[bytes], server: Server
) -> None:
    aws = Aws(options(server))
    aws.call("ecs", "stop_service_deployment", serviceDeploymentArn="a" * 20)
    controller.kill()
    controller.wait()
    with pytest.raises(AwsFailure, match=f"process {controller.pid}\\) is gone"):
        aws.call("ecs", "stop_service_deployment", serviceDeploymentArn="a" * 20)
    with pytest.raises(AwsFailure) as caught:
        register(aws, lambda: None)
    assert caught.value.code == "Orphan"
    aws.call("ecs", "list_clusters")
    assert server.asked.count("StopServiceDeployment") == 1


def test_nor_does_it_repeat_a_write(controller: subprocess.Popen[bytes], server: Server) -> None:
    aws = Aws(options(server))
    server.trouble = [LOST, LOST]
    plain = aws.check_write

    def check() -> None:
        plain()
        controller.kill()
        controller.wait()

    aws.check_write = check  # type: ignore[method-assign]
    with pytest.raises(AwsFailure, match="is gone"):
        aws.call("ecs", "stop_service_deployment", serviceDeploymentArn="a" * 20)
    assert server.asked.count("StopServiceDeployment") == 1


def test_who_has_left_the_run_writes_on(
    controller: subprocess.Popen[bytes], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_run()
    controller.kill()
    controller.wait()
    Aws(options(server)).call("ecs", "stop_service_deployment", serviceDeploymentArn="a" * 20)
    assert server.asked.count("StopServiceDeployment") == 1


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (failure("ThrottlingException"), {"throttled", "passing"}),
        (failure("InternalFailure", status=500), {"open", "passing"}),
        (failure("Unreachable", status=0), {"open", "passing"}),
        (failure("SlowDown", status=503), {"throttled", "passing"}),
        (failure("ExpiredTokenException"), {"expired"}),
        (failure("ClientException"), set()),
        (failure("LockLost", status=0), set()),
    ],
)
def test_what_a_failure_means_for_the_next_step(trouble: AwsFailure, words: set[str]) -> None:
    assert {w for w in ("throttled", "open", "passing", "expired") if getattr(trouble, w)} == words


def test_the_longest_pause_is_botocores(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    naps: list[float] = []
    monkeypatch.setattr(lyo_aws.random, "random", lambda: 1.0)
    server.trouble = [LOST] * 20
    with pytest.raises(AwsFailure):
        register(Aws(options(server), sleep=naps.append), lambda: None)
    assert naps == [2.0, 3.0, 5.0, 9.0, 17.0]
