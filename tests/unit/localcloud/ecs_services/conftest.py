"""An ECS services API on fakes: tasks and targets do what the test says, time is the test's."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import Shape
from botocore.validate import ParamValidator

from localcloud.api import Call
from localcloud.ports import TargetHealth
from localcloud.services.ecs.services_api import EcsServicesApi
from localcloud.services.ecs.store import Cluster, ContainerState, EcsStore, Task, TaskDefinition

MODEL = botocore.session.get_session().get_service_model("ecs")
ACCOUNT, REGION = "123456789012", "eu-south-1"
ELB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
TG_A, TG_B = f"{ELB}:targetgroup/a/1", f"{ELB}:targetgroup/b/2"
PRODUCTION, TEST = f"{ELB}:listener-rule/app/x/1/1/1", f"{ELB}:listener-rule/app/x/1/2/2"
# In the member's documentation, not in its enumeration.
DOCUMENTED = {"PRE_PRODUCTION_TRAFFIC_SHIFT"}


def conform(shape: Shape, value: Any, path: str) -> None:
    """Fail where a value is not what botocore's model says."""
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{path}: {unknown}"
        for member, inner in value.items():
            assert inner is not None, f"{path}.{member} is None"
            conform(shape.members[member], inner, f"{path}.{member}")
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            conform(shape.member, inner, f"{path}[{index}]")
    elif shape.type_name == "string":
        assert isinstance(value, str), path
        if shape.enum:
            assert value in DOCUMENTED | set(shape.enum), f"{path}: {value}"
    else:
        kinds = {
            "integer": int,
            "long": int,
            "boolean": bool,
            "double": (int, float),
            "timestamp": datetime,
        }
        assert isinstance(value, kinds[shape.type_name]), f"{path}: {value!r}"


class FakeTargetGroups:
    def __init__(self) -> None:
        self.targets: dict[str, dict[tuple[str, int], str]] = {TG_A: {}, TG_B: {}}
        self.rules = {PRODUCTION: {TG_A: 1, TG_B: 0}, TEST: {TG_A: 1, TG_B: 0}}
        self.shifts: list[tuple[str, dict[str, int]]] = []
        self.initial = "healthy"

    def register(self, arn: str, ip: str, port: int) -> None:
        self.targets[arn][ip, port] = self.initial

    def deregister(self, arn: str, ip: str, port: int) -> None:
        self.targets[arn].pop((ip, port), None)

    def health(self, arn: str) -> dict[tuple[str, int], TargetHealth]:
        return {
            key: TargetHealth(state, "Target.ResponseCodeMismatch", "Health checks failed")
            for key, state in self.targets[arn].items()
        }

    def set_weights(self, rule: str, weights: dict[str, int]) -> None:
        self.rules[rule] = dict(weights)
        self.shifts.append((rule, dict(weights)))

    def weights(self, rule: str) -> dict[str, int]:
        return self.rules[rule]

    def target_groups_of_rule(self, rule: str) -> list[str]:
        return list(self.rules[rule])


class FakeTaskEngine:
    """Tasks run as soon as `run_pending` is called; which ones crash is the test's choice."""

    def __init__(self, store: EcsStore, now: Any) -> None:
        self.store = store
        self.now = now
        self.hooks: dict[str, tuple[Any, Any]] = {}
        self.started: list[Task] = []
        #: Task definition ARN → "crash" (RUNNING, then exit 1) or "pull" (never RUNNING).
        self.broken: dict[str, str] = {}

    def start(self, **given: Any) -> Task:
        index = len(self.started) + 1
        definition: TaskDefinition = given["task_definition"]
        task = Task(
            arn=self.store.arn("task", f"{given['cluster'].name}/{index:032x}"),
            cluster_arn=given["cluster"].arn,
            task_definition_arn=definition.arn,
            group=given["group"],
            started_by=given["started_by"],
            launch_type=given["launch_type"],
            address=f"127.1.16.{index}",
            containers=[
                ContainerState(
                    "app", "arn", definition.containers[0]["image"], image_digest="sha256:1"
                )
            ],
            created_at=self.now(),
            tags=given["tags"],
        )
        self.hooks[task.arn] = given["on_activate"], given["on_deactivate"]
        self.store.tasks[task.arn] = task
        self.started.append(task)
        return task

    def run_pending(self) -> None:
        for task in self.started:
            if task.last_status == "PROVISIONING" and task.desired_status == "RUNNING":
                kind = self.broken.get(task.task_definition_arn)
                if kind == "pull":
                    task.last_status = task.desired_status = "STOPPED"
                    continue
                task.last_status, task.started_at = "RUNNING", self.now()
                self.hooks[task.arn][0](task)
                if kind == "crash":
                    self.end(task)
            elif task.desired_status == "STOPPED" and task.last_status != "STOPPED":
                if task.last_status == "RUNNING":
                    self.end(task)
                task.last_status = "STOPPED"

    def end(self, task: Task) -> None:
        ended = Event()
        ended.set()
        self.hooks[task.arn][1](task, ended)
        task.last_status = task.desired_status = "STOPPED"

    def stop(self, task: Task, *, reason: str, code: str) -> None:
        task.desired_status, task.stopped_reason, task.stop_code = "STOPPED", reason, code

    def tasks(self, **_: Any) -> list[Task]:
        return list(self.store.tasks.values())


class World:
    """The API, its fakes and the clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.target_groups = FakeTargetGroups()
        self.alarms: dict[str, Any] = {}
        backends = {
            "cloudwatch": SimpleNamespace(alarms=self.alarms),
            "elbv2": SimpleNamespace(target_groups={TG_A: None, TG_B: None}),
            "ecs": SimpleNamespace(),
        }
        clock = SimpleNamespace(now=self.now, wall=lambda seconds: seconds)
        self.cloud: Any = SimpleNamespace(
            clock=clock,
            lock=threading.RLock(),
            parts={"elbv2": self.target_groups},
            backend=backends.__getitem__,
            background=lambda _name, _target: None,
            on_stop=lambda _action: None,
        )
        self.store = EcsStore(REGION, ACCOUNT)
        self.store.clusters["lyo"] = Cluster(self.store.arn("cluster", "lyo"), "lyo")
        self.engine = FakeTaskEngine(self.store, self.now)
        self.api = EcsServicesApi()
        self.api.cloud, self.api.store, self.api.engine = self.cloud, self.store, self.engine
        self.api.start_services(lambda: self.seconds)
        for revision in range(1, 6):
            self.define(revision)

    def now(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def define(self, revision: int) -> None:
        arn = self.store.arn("task-definition", f"lyo:{revision}")
        container = {
            "name": "app",
            "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/lyo:v{revision}",
            "portMappings": [{"containerPort": 8080}],
        }
        shape = {"networkMode": "awsvpc", "containerDefinitions": [container]}
        definition = TaskDefinition(arn, "lyo", revision, shape)
        self.store.task_definitions.setdefault("lyo", {})[revision] = definition

    def arn(self, revision: int) -> str:
        return self.store.arn("task-definition", f"lyo:{revision}")

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """One API call; request and answer are held against botocore's model."""
        model = MODEL.operation_model(operation)
        report = ParamValidator().validate(params, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        method = getattr(self.api, xform_name(operation))
        answer: dict[str, Any] = method(Call("ecs", operation, ACCOUNT, REGION, params))
        conform(model.output_shape, answer, operation)
        return answer

    def create(self, **params: Any) -> dict[str, Any]:
        given = {
            "cluster": "lyo",
            "serviceName": "web",
            "taskDefinition": "lyo:1",
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            "loadBalancers": [
                {"targetGroupArn": TG_A, "containerName": "app", "containerPort": 8080}
            ],
            **params,
        }
        return self.call("CreateService", **given)["service"]

    def update(self, **params: Any) -> dict[str, Any]:
        return self.call("UpdateService", cluster="lyo", service="web", **params)["service"]

    def release(self, revision: int, **configuration: Any) -> None:
        """UpdateService as a blue/green release does it."""
        self.update(
            taskDefinition=f"lyo:{revision}",
            loadBalancers=pair(),
            deploymentConfiguration=blue_green(**configuration),
        )

    def go(self, seconds: float = 0.0, step: float = 5.0) -> None:
        """Let time pass; tasks and scheduler take their turns."""
        end = self.seconds + seconds
        while True:
            for _ in range(4):
                self.api.services.tick()
                self.engine.run_pending()
            self.api.services.tick()
            if self.seconds >= end:
                return
            self.seconds = min(self.seconds + step, end)

    def service(self) -> dict[str, Any]:
        answer = self.call("DescribeServices", cluster="lyo", services=["web"], include=["TAGS"])
        return answer["services"][0]

    def deployment(self, index: int = 0) -> dict[str, Any]:
        """A service deployment, the newest first."""
        listed = self.call("ListServiceDeployments", cluster="lyo", service="web")
        arn = listed["serviceDeployments"][index]["serviceDeploymentArn"]
        answer = self.call("DescribeServiceDeployments", serviceDeploymentArns=[arn])
        assert answer["failures"] == []
        return answer["serviceDeployments"][0]

    def running(self) -> list[str]:
        """Task definitions of the RUNNING tasks, as revision numbers."""
        return sorted(
            task.task_definition_arn.rsplit(":", 1)[1]
            for task in self.engine.started
            if task.last_status == "RUNNING"
        )

    def messages(self) -> list[str]:
        return [event["message"] for event in self.service()["events"]]

    def answer_hook(self, action: str) -> None:
        deployment = self.deployment()
        (hook,) = [
            h for h in deployment["lifecycleHookDetails"] if h["status"] == "AWAITING_ACTION"
        ]
        self.call(
            "ContinueServiceDeployment",
            serviceDeploymentArn=deployment["serviceDeploymentArn"],
            hookId=hook["hookId"],
            action=action,
        )


def pair() -> list[dict[str, Any]]:
    advanced = {
        "alternateTargetGroupArn": TG_B,
        "productionListenerRule": PRODUCTION,
        "testListenerRule": TEST,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/ecs",
    }
    entry = {"targetGroupArn": TG_A, "containerName": "app", "containerPort": 8080}
    return [{**entry, "advancedConfiguration": advanced}]


def blue_green(**configuration: Any) -> dict[str, Any]:
    return {
        "strategy": "BLUE_GREEN",
        "bakeTimeInMinutes": 5,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        **configuration,
    }


def pause(*stages: str, minutes: int = 10, action: str = "ROLLBACK") -> list[dict[str, Any]]:
    timeout = {"timeoutInMinutes": minutes, "action": action}
    return [
        {"targetType": "PAUSE", "lifecycleStages": list(stages), "timeoutConfiguration": timeout}
    ]


@pytest.fixture
def world() -> World:
    return World()
