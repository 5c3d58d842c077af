"""An ECS without the network: real engine, real processes, a folder instead of the registry."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, Shape, StructureShape

from localcloud.api import Call
from localcloud.cloud import Cloud
from localcloud.ports import ImageNotFoundError, PulledImage
from localcloud.settings import Settings

#: Beyond the numbers that `localcloud up` gives by itself.
NUMBER = 197
SPEED = 100.0
IMAGE = "123456789012.dkr.ecr.eu-south-1.amazonaws.com/tiny:v1"
ROLE = "arn:aws:iam::123456789012:role/execution"

#: What the containers run: one program, told by its arguments what to do.
PROGRAM = """
import os, signal, subprocess, sys, time

def say(text):
    print(text, flush=True)

what, *arguments = sys.argv[1:]
if what == "env":
    for name in arguments:
        say(f"{name}={os.environ.get(name)}")
elif what == "exit":
    say("leaving")
    sys.exit(int(arguments[0]))
elif what == "serve":
    def leave(*_):
        time.sleep(float((arguments + ["0"])[1]))
        say("asked to leave")
        sys.exit(int(arguments[0]))
    signal.signal(signal.SIGTERM, leave)
    say("serving")
    while True:
        time.sleep(60)
elif what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    own = [sys.executable, "-c", "import time; time.sleep(601)"]
    away = subprocess.Popen(own, start_new_session=True)
    say(f"children {child.pid} {away.pid}")
    while True:
        time.sleep(60)
elif what == "talk":
    for number in range(int(arguments[0])):
        print("line", number)
    print("no newline at the end", end="")
    print("on stderr", file=sys.stderr)
elif what == "touch":
    time.sleep(float(arguments[1]))
    open(os.path.join(os.environ["TMPDIR"], arguments[0]), "w").close()
    while len(arguments) > 2:
        time.sleep(60)
elif what == "has":
    sys.exit(0 if os.path.exists(os.path.join(os.environ["TMPDIR"], arguments[0])) else 1)
"""


@functools.cache
def model() -> Any:
    """botocore's model of ECS."""
    return botocore.session.get_session().get_service_model("ecs")


def conforms(value: Any, shape: Shape, where: str = "") -> None:
    """Fail for a member the shape lacks, a value outside its enum or of another type."""
    if isinstance(shape, StructureShape):
        assert isinstance(value, Mapping), f"{where} is no structure: {value!r}"
        unknown = value.keys() - shape.members.keys()
        assert not unknown, f"{where} has members AWS does not have: {sorted(unknown)}"
        missing = [name for name in shape.required_members if name not in value]
        assert not missing, f"{where} lacks {missing}"
        for name, member in value.items():
            conforms(member, shape.members[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        assert isinstance(value, list | tuple), f"{where} is no list: {value!r}"
        for item in value:
            conforms(item, shape.member, f"{where}[]")
    elif shape.type_name == "map":
        assert isinstance(value, Mapping), f"{where} is no map: {value!r}"
    else:
        kinds: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "integer": int,
            "long": int,
            "boolean": bool,
            "timestamp": datetime,
            "double": float,
        }
        assert isinstance(value, kinds[shape.type_name]), f"{where}: {value!r}"
        allowed = getattr(shape, "enum", None)
        assert not allowed or value in allowed, f"{where}: {value!r} is none of {allowed}"


class Registry:
    """Stands in for ECR: one image, in a folder."""

    def __init__(self, root: Path) -> None:
        (root / "app").mkdir(parents=True)
        (root / "app" / "tiny.py").write_text(PROGRAM)
        self.root = root
        self.labels = {"lyo.image.kind": "process"}

    def pull(self, image: str) -> PulledImage:
        if not image.startswith(IMAGE.split(":")[0]) or image.endswith(":absent"):
            raise ImageNotFoundError(f"{image}: not found")
        labels = {} if image.endswith(":container") else self.labels
        config = {
            "Env": ["PYTHONPATH=/app", "LYO_RELEASE=v1", "SHARED=image"],
            "Entrypoint": ["python", "-m", "tiny"],
            "Cmd": ["exit", "0"],
            "WorkingDir": "/app",
            "Labels": labels,
        }
        return PulledImage("sha256:" + "a" * 64, self.root, config)


@dataclass
class Ecs:
    """The API as methods' results, every one compared with the model; plus what stands behind."""

    cloud: Cloud
    subnet: str
    registered: int = 0
    clusters: list[str] = field(default_factory=list)

    @property
    def part(self) -> Any:
        return self.cloud.parts["ecs"]

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        name = xform_name(operation)
        shape = model().operation_model(operation)
        report = botocore.validate.ParamValidator().validate(params, shape.input_shape)
        assert not report.has_errors(), report.generate_report()
        settings = self.cloud.settings
        with self.cloud.lock:
            answer: dict[str, Any] = getattr(self.part, name)(
                Call("ecs", operation, settings.account_id, settings.region, params)
            )
            conforms(answer, shape.output_shape, operation)
        return answer

    def register(self, *containers: dict[str, Any], **more: Any) -> str:
        self.registered += 1
        return str(
            self.call("RegisterTaskDefinition", **definition(*containers, **more))[
                "taskDefinition"
            ]["taskDefinitionArn"]
        )

    def run(self, task_definition: str, **more: Any) -> dict[str, Any]:
        more.setdefault("launchType", "FARGATE")
        tasks: list[dict[str, Any]] = self.call(
            "RunTask",
            cluster="lyo",
            taskDefinition=task_definition,
            networkConfiguration={"awsvpcConfiguration": {"subnets": [self.subnet]}},
            **more,
        )["tasks"]
        return tasks[0]

    def describe(self, arn: str) -> dict[str, Any]:
        task: dict[str, Any] = self.call("DescribeTasks", cluster="lyo", tasks=[arn])["tasks"][0]
        return task

    def wait(
        self, arn: str, done: Callable[[dict[str, Any]], bool], seconds: float = 20
    ) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while not done(task := self.describe(arn)):
            assert time.monotonic() < deadline, f"still {task}"
            time.sleep(0.02)
        return task

    def wait_status(self, arn: str, status: str) -> dict[str, Any]:
        return self.wait(arn, lambda task: bool(task["lastStatus"] == status))

    def logs(self, arn: str, container: str = "main") -> list[str]:
        with self.cloud.lock:
            streams = self.cloud.backend("logs").groups["/lyo/tiny"].streams
            stream = streams[f"app/{container}/{arn.rsplit('/', 1)[1]}"]
            return [event.message for event in stream.events]


def container(name: str = "main", *command: str, **more: Any) -> dict[str, Any]:
    """A container definition that runs the tiny program and logs."""
    return {
        "name": name,
        "image": IMAGE,
        "command": list(command or ("exit", "0")),
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/lyo/tiny",
                "awslogs-region": "eu-south-1",
                "awslogs-stream-prefix": "app",
            },
        },
        **more,
    }


def definition(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Input of RegisterTaskDefinition."""
    return {
        "family": "tiny",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": ROLE,
        "containerDefinitions": list(containers or [container()]),
        **more,
    }


def start(folder: Path, speed: float = SPEED) -> Ecs:
    """A cloud with logs, tasks, one cluster `lyo` and one subnet."""
    from localcloud.services import ecs, logs

    cloud = Cloud(Settings(NUMBER, folder / "state", speed))
    cloud.parts["ecr"] = Registry(folder / "image")
    logs.register(cloud)
    ecs.register(cloud)
    ec2 = cloud.backend("ec2")
    vpc = ec2.create_vpc("10.0.0.0/16")
    subnet = ec2.create_subnet(vpc.id, "10.0.1.0/24", availability_zone="eu-south-1b")
    logs_backend = cloud.backend("logs")
    if "/lyo/tiny" not in logs_backend.groups:
        logs_backend.create_log_group("/lyo/tiny", {})
    found = Ecs(cloud, subnet.id)
    found.call("CreateCluster", clusterName="lyo")
    return found
