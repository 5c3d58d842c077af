"""Services as a client sees them: real processes behind a real load balancer, under steady load."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from localcloud import lifecycle
from tests.localcloud.conftest import RunningCloud, localcloud
from tests.localcloud.ecs_tasks_harness import definition
from tests.localcloud.test_ecr import layer, manifest, upload

SPEED = 60
BAKE_MINUTES = 2
PRODUCTION_PORT, TEST_PORT = 18080, 18081
SERVER = """
import http.server, os, signal, sys, threading

release, mode = os.environ["RELEASE"], os.environ["MODE"]
if mode == "crash":
    sys.exit(7)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        sick = mode == "unhealthy" and self.path == "/health"
        body = release.encode()
        self.send_response(503 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer((os.environ["HOST"], 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""


@dataclass
class Load:
    """Asks the production listener all the time and counts what it gets."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.wait(0.02):
            self.answers[get(self.url)] += 1

    def __enter__(self) -> Load:
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, answer: str, seconds: float = 10) -> None:
        """Until an answer has come: a busy machine may ask rarely."""
        deadline = time.monotonic() + seconds
        while not self.answers[answer]:
            assert time.monotonic() < deadline, (answer, self.answers)
            time.sleep(0.01)

    @property
    def failed(self) -> dict[str, int]:
        return {what: n for what, n in self.answers.items() if not what.startswith("r")}


def get(url: str) -> str:
    """The release that answers, or what went wrong."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except OSError as error:
        return f"{error}"


@dataclass
class Site:
    """A cluster, a load balancer with two target groups, and one service."""

    cloud: RunningCloud
    production: str
    test: str
    subnet: str
    image: str
    balancers: list[dict[str, Any]]
    releases: int = 0

    @property
    def ecs(self) -> Any:
        return self.cloud.client("ecs")

    def define(self, release: str, mode: str = "good") -> str:
        container = {
            "name": "web",
            "image": self.image,
            "portMappings": [{"containerPort": 8080}],
            "environment": [
                {"name": "RELEASE", "value": release},
                {"name": "MODE", "value": mode},
            ],
        }
        answer = self.ecs.register_task_definition(**definition(container, family="web"))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def release(
        self, mode: str = "good", *, hooks: Any = (), bake: int = BAKE_MINUTES, **more: Any
    ) -> str:
        """UpdateService with a new release under BLUE_GREEN; the name that it answers with."""
        self.releases += 1
        name = f"r{self.releases}"
        self.ecs.update_service(
            cluster="lyo",
            service="web",
            taskDefinition=self.define(name, mode),
            loadBalancers=self.balancers,
            deploymentConfiguration={
                "strategy": "BLUE_GREEN",
                "bakeTimeInMinutes": bake,
                "lifecycleHooks": list(hooks),
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            },
            healthCheckGracePeriodSeconds=120,
            **more,
        )
        return name

    def service(self) -> dict[str, Any]:
        answer = self.ecs.describe_services(cluster="lyo", services=["web"])
        service: dict[str, Any] = answer["services"][0]
        return service

    def deployment(self) -> dict[str, Any]:
        arn = self.service()["currentServiceDeployment"]
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        deployment: dict[str, Any] = answer["serviceDeployments"][0]
        return deployment

    def wait(self, done: Callable[[dict[str, Any]], object], seconds: float = 40) -> dict[str, Any]:
        """The current service deployment once `done` says so."""
        deadline = time.monotonic() + seconds
        while not done(deployment := self.deployment()):
            messages = [event["message"] for event in self.service()["events"][:12]]
            assert time.monotonic() < deadline, (deployment, messages)
            time.sleep(0.05)
        return deployment

    def finish(self, seconds: float = 40) -> dict[str, Any]:
        return self.wait(lambda d: "finishedAt" in d, seconds)

    def stage(self, stage: str) -> dict[str, Any]:
        return self.wait(lambda d: d.get("lifecycleStage") == stage)

    def paused(self) -> dict[str, Any]:
        return self.wait(
            lambda d: [
                h for h in d.get("lifecycleHookDetails", ()) if h["status"] == "AWAITING_ACTION"
            ]
        )

    def answer(self, deployment: dict[str, Any], action: str) -> None:
        self.ecs.continue_service_deployment(
            serviceDeploymentArn=deployment["serviceDeploymentArn"],
            hookId=deployment["lifecycleHookDetails"][0]["hookId"],
            action=action,
        )

    def tasks(self) -> set[str]:
        arns = self.ecs.list_tasks(cluster="lyo", serviceName="web")["taskArns"]
        return set(arns)


def pause(minutes: int = 60) -> list[dict[str, Any]]:
    return [
        {
            "targetType": "PAUSE",
            "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
            "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": "ROLLBACK"},
        }
    ]


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    state = tmp_path_factory.mktemp("services") / "state"
    localcloud("up", "--state", str(state), "--speed", str(SPEED))
    yield RunningCloud(state, lifecycle.require_running(state))
    localcloud("down", "--state", str(state))


def push(cloud: RunningCloud) -> str:
    ecr = cloud.client("ecr")
    repository = ecr.create_repository(repositoryName="web")["repository"]
    config = json.dumps(
        {
            "config": {
                "Entrypoint": ["python", "server.py"],
                "WorkingDir": "/app",
                "Labels": {"lyo.image.kind": "process"},
            }
        }
    ).encode()
    content = layer({"app/server.py": SERVER})
    for blob in (config, content):
        upload(ecr, "web", blob)
    ecr.put_image(repositoryName="web", imageManifest=manifest(config, content), imageTag="v1")
    return f"{repository['repositoryUri']}:v1"


def balance(cloud: RunningCloud, vpc: str, subnets: list[str]) -> tuple[str, list[dict[str, Any]]]:
    """Load balancer with production and test listener; its host and the service's entry."""
    elb = cloud.client("elbv2")
    balancer = elb.create_load_balancer(Name="web", Subnets=subnets, Type="application")
    host = balancer["LoadBalancers"][0]["DNSName"]
    groups = []
    for name in ("blue", "green"):
        group = elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}],
        )
        groups.append(group)
    rules = []
    for port in (PRODUCTION_PORT, TEST_PORT):
        listener = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
            ],
        )["Listeners"][0]["ListenerArn"]
        forward = [{"TargetGroupArn": arn, "Weight": 1 - index} for index, arn in enumerate(groups)]
        rule = elb.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
        )["Rules"][0]["RuleArn"]
        rules.append(rule)
    advanced = {
        "alternateTargetGroupArn": groups[1],
        "productionListenerRule": rules[0],
        "testListenerRule": rules[1],
        "roleArn": "arn:aws:iam::123456789012:role/ecs-infrastructure",
    }
    entry = {"targetGroupArn": groups[0], "containerName": "web", "containerPort": 8080}
    return host, [{**entry, "advancedConfiguration": advanced}]


@pytest.fixture(scope="module")
def site(fast: RunningCloud) -> Site:
    """A service as Terraform makes it, then the first release."""
    ec2 = fast.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    zones = ["eu-south-1a", "eu-south-1b"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{n}.0/24", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate(zones)
    ]
    image = push(fast)
    host, balancers = balance(fast, vpc, subnets)
    made = Site(
        fast,
        f"http://{host}:{PRODUCTION_PORT}/",
        f"http://{host}:{TEST_PORT}/",
        subnets[0],
        image,
        balancers,
    )
    made.ecs.create_cluster(clusterName="lyo")
    plain = {k: v for k, v in balancers[0].items() if k != "advancedConfiguration"}
    bootstrap = made.define("bootstrap", "crash")
    made.ecs.create_service(
        cluster="lyo",
        serviceName="web",
        taskDefinition=bootstrap,
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
        loadBalancers=[plain],
    )
    name = made.release(desiredCount=2)
    assert made.finish()["status"] == "SUCCESSFUL"
    assert get(made.production) == name
    started = made.ecs.list_tasks(cluster="lyo", desiredStatus="STOPPED")["taskArns"]
    assert started == []
    return made


def test_a_release_is_seen_on_the_test_listener_then_takes_all_traffic(site: Site) -> None:
    before = get(site.production)
    with Load(site.production) as load:
        name = site.release(hooks=pause(), bake=6)
        paused = site.paused()
        assert paused["lifecycleStage"] == "POST_TEST_TRAFFIC_SHIFT"
        assert (get(site.test), get(site.production)) == (name, before)
        site.answer(paused, "CONTINUE")
        site.stage("BAKE_TIME")
        assert get(site.production) == name
        assert len(site.tasks()) == 4
        assert site.finish()["status"] == "SUCCESSFUL"
    assert load.failed == {}
    assert set(load.answers) == {before, name}
    assert len(site.tasks()) == 2
    site.ecs.get_waiter("services_stable").wait(cluster="lyo", services=["web"])
    revision = site.service()["currentServiceRevisions"][0]["arn"]
    described = site.ecs.describe_service_revisions(serviceRevisionArns=[revision])
    (image,) = described["serviceRevisions"][0]["containerImages"]
    assert image["imageDigest"].startswith("sha256:")


@pytest.mark.parametrize("how", ["answer", "time-out"])
def test_a_hook_turns_a_release_back(site: Site, how: str) -> None:
    before = get(site.production)
    with Load(site.production) as load:
        site.release(hooks=pause(60 if how == "answer" else 1))
        paused = site.paused()
        if how == "answer":
            site.answer(paused, "ROLLBACK")
        ended = site.finish()
    assert ended["status"] == "ROLLBACK_SUCCESSFUL"
    assert "POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed" in ended["statusReason"]
    assert ended["lifecycleHookDetails"][0]["status"] == (
        "FAILED" if how == "answer" else "TIMED_OUT"
    )
    assert set(load.answers) == {before}
    assert get(site.test) == before


def test_stopping_during_bake_flips_the_weights_and_starts_no_task(site: Site) -> None:
    before, kept = get(site.production), site.tasks()
    with Load(site.production) as load:
        # Longer than a busy machine takes to look at it; stopping cuts it short.
        name = site.release(bake=30)
        baking = site.stage("BAKE_TIME")
        both = site.tasks()
        load.wait_for(name)
        site.ecs.stop_service_deployment(
            serviceDeploymentArn=baking["serviceDeploymentArn"], stopType="ROLLBACK"
        )
        ended = site.finish()
    assert ended["status"] == "ROLLBACK_SUCCESSFUL"
    assert load.failed == {}
    assert set(load.answers) == {before, name}
    assert get(site.production) == before
    assert site.tasks() == kept
    assert kept < both


@pytest.mark.parametrize("mode", ["crash", "unhealthy"])
def test_a_broken_release_never_gets_traffic(site: Site, mode: str) -> None:
    before, kept = get(site.production), site.tasks()
    with Load(site.production) as load:
        site.release(mode)
        ended = site.finish(60)
    assert ended["status"] == "ROLLBACK_SUCCESSFUL"
    assert "circuit breaker threshold was exceeded" in ended["statusReason"]
    assert set(load.answers) == {before}
    assert site.tasks() == kept
    messages = [event["message"] for event in site.service()["events"]]
    assert any("deployment failed: tasks failed to start" in message for message in messages)


def test_scaling_out_during_bake_reaches_both_revisions(site: Site) -> None:
    # Longer than a busy machine takes to start a task for each.
    name = site.release(bake=15)
    site.stage("BAKE_TIME")
    site.ecs.update_service(cluster="lyo", service="web", desiredCount=3)
    site.wait(lambda d: d["sourceServiceRevisions"][0]["runningTaskCount"] == 3)
    site.wait(lambda d: d["targetServiceRevision"]["runningTaskCount"] == 3)
    assert site.finish()["status"] == "SUCCESSFUL"
    assert (len(site.tasks()), get(site.production)) == (3, name)


def test_rolling_with_circuit_breaker(site: Site) -> None:
    rolling = {
        "strategy": "ROLLING",
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    }
    before = get(site.production)
    with Load(site.production) as load:
        site.ecs.update_service(
            cluster="lyo",
            service="web",
            taskDefinition=site.define("r-rolled"),
            deploymentConfiguration=rolling,
        )
        assert site.finish()["status"] == "SUCCESSFUL"
        assert get(site.production) == "r-rolled"
        site.ecs.update_service(
            cluster="lyo", service="web", taskDefinition=site.define("r-broken", "crash")
        )
        ended = site.finish()
    assert ended["status"] == "ROLLBACK_SUCCESSFUL"
    assert load.failed == {}
    assert set(load.answers) == {before, "r-rolled"}
    (primary,) = site.service()["deployments"]
    assert (primary["rolloutState"], primary["runningCount"]) == ("COMPLETED", 3)


def test_autoscaling_knows_the_service_and_deleting_stops_everything(site: Site) -> None:
    scaling = site.cloud.client("application-autoscaling")
    scaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/lyo/web",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=2,
        MaxCapacity=4,
    )
    site.ecs.delete_service(cluster="lyo", service="web", force=True)
    deadline = time.monotonic() + 20
    while site.service()["status"] != "INACTIVE":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert site.tasks() == set()
