"""What is really so, read without faults: who carries the traffic, and what was made in the meantime.

Nothing here asks the service what it says of itself: the traffic is what the listener's rule, the
targets' health and the tasks behind them make of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from ansible.module_utils.lyo_release.task_definition import normalise, release_of

LOCK = "lyo.lock.json"


@dataclass(frozen=True)
class Made:
    """What exists at one moment: ARNs, in the order they were made."""

    deployments: dict[str, str]
    definitions: tuple[str, ...]
    one_offs: tuple[str, ...]
    runs: tuple[str, ...]


class Surroundings(Protocol):
    """What is deployed somewhere: an environment of the runbooks, or a site of the schedules."""

    content: dict[str, Any]

    @property
    def outputs(self) -> dict[str, Any]: ...

    def client(self, service: str) -> Any: ...


class Truth:
    """Reads one environment.

    :param lock_key: of the lock that is meant.
    """

    def __init__(self, environment: Surroundings, lock_key: str = LOCK) -> None:
        self.environment, self.lock_key = environment, lock_key
        self.names = environment.outputs
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The tests' own client, which no fault meets."""
        if service not in self._clients:
            self._clients[service] = self.environment.client(service)
        return self._clients[service]

    def carrying(self) -> set[str]:
        """ARNs of the task definitions that production traffic reaches now."""
        rule = self.names["production_listener_rule_arn"]
        elb = self.client("elbv2")
        actions = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
        groups = actions[-1]["ForwardConfig"]["TargetGroups"]
        weighted = [g["TargetGroupArn"] for g in groups if g.get("Weight", 1) > 0]
        tasks = self._definitions_by_address()
        found = set()
        for group in weighted:
            health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            for entry in health:
                if entry["TargetHealth"]["State"] == "healthy":
                    found.add(tasks.get(entry["Target"]["Id"], f"nobody's {entry['Target']['Id']}"))
        return found

    def _definitions_by_address(self) -> dict[str, str]:
        ecs, cluster = self.client("ecs"), self.names["cluster_name"]
        arns = ecs.list_tasks(cluster=cluster, serviceName=self.names["service_name"])["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return {
            detail["value"]: task["taskDefinitionArn"]
            for task in tasks
            for attachment in task["attachments"]
            for detail in attachment["details"]
            if detail["name"] == "privateIPv4Address"
        }

    def definition(self, arn: str) -> dict[str, Any]:
        """A task definition."""
        answer = self.client("ecs").describe_task_definition(taskDefinition=arn)
        content: dict[str, Any] = answer["taskDefinition"]
        return content

    def release(self, arn: str) -> str:
        """The release that a task definition was made for."""
        return str(release_of(self.definition(arn)))

    def image_tag(self, arn: str) -> str:
        """Tag of the image that a task definition names by digest."""
        image = self.definition(arn)["containerDefinitions"][0]["image"]
        found = self.client("ecr").describe_images(
            repositoryName=self.names["repository_name"],
            imageIds=[{"imageDigest": image.rpartition("@")[2]}],
        )["imageDetails"][0]
        return str(found["imageTags"][0])

    def deployments(self) -> list[dict[str, Any]]:
        """Every service deployment, newest first."""
        place = {"cluster": self.names["cluster_name"], "service": self.names["service_name"]}
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"nextToken": ""}
        while "nextToken" in page:
            more = {"nextToken": page["nextToken"]} if page["nextToken"] else {}
            page = self.client("ecs").list_service_deployments(**place, **more)
            found += page["serviceDeployments"]
        return sorted(found, key=lambda d: d["createdAt"], reverse=True)

    def target_of(self, deployment: dict[str, Any]) -> str:
        """Task definition that a deployment brings."""
        arn = deployment["targetServiceRevisionArn"]
        answer = self.client("ecs").describe_service_revisions(serviceRevisionArns=[arn])
        return str(answer["serviceRevisions"][0]["taskDefinition"])

    def made(self) -> Made:
        """What exists."""
        ecs, family = self.client("ecs"), self.names["task_family"]
        definitions: list[str] = []
        for name in (family, f"{family}-migrate"):
            pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=name)
            definitions += [arn for page in pages for arn in page["taskDefinitionArns"]]
        one_offs: list[str] = []
        for status in ("RUNNING", "STOPPED"):
            pages = ecs.get_paginator("list_tasks").paginate(
                cluster=self.names["cluster_name"],
                family=f"{family}-migrate",
                desiredStatus=status,
            )
            one_offs += [arn for page in pages for arn in page["taskArns"]]
        return Made(
            {d["serviceDeploymentArn"]: d["status"] for d in self.deployments()},
            tuple(dict.fromkeys(definitions)),
            tuple(one_offs),
            tuple(self.ledger_keys()),
        )

    def alike(self, arns: tuple[str, ...]) -> list[tuple[str, str]]:
        """Pairs of task definitions with the same content, where one would have done.

        The service's: any two. A one-off task's definition says what is run, and a release runs the same
        command again after another (plan, apply, look): there, only two in a row.
        """
        service = str(self.names["task_family"])
        contents: dict[str, str] = {}
        latest: dict[str, str] = {}
        pairs = []
        for arn in sorted(arns, key=lambda arn: int(arn.rpartition(":")[2])):
            family = arn.rpartition("/")[2].rpartition(":")[0]
            content = json.dumps(normalise(self.definition(arn)), sort_keys=True)
            former = contents.get(content, "")
            if former and (family == service or latest.get(family) == former):
                pairs.append((former, arn))
            contents[content] = latest[family] = arn
        return pairs

    @property
    def bucket(self) -> str:
        """The state bucket."""
        return f"lyo-local-{self.environment.content['account_id']}-tfstate"

    def stored(self, key: str) -> dict[str, Any]:
        """A JSON object of the state bucket."""
        answer = self.client("s3").get_object(Bucket=self.bucket, Key=key)
        content: dict[str, Any] = json.loads(answer["Body"].read())
        return content

    def lock(self) -> dict[str, Any]:
        """The lock."""
        return self.stored(self.lock_key)

    def lock_age(self) -> float:
        """Seconds since the lock was written, by S3's clock."""
        from email.utils import parsedate_to_datetime

        answer = self.client("s3").head_object(Bucket=self.bucket, Key=self.lock_key)
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age: float = (now - answer["LastModified"]).total_seconds()
        return age

    def ledger_keys(self) -> list[str]:
        """Keys of the ledger, oldest first."""
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix="ledger/")
        return sorted(item["Key"] for page in found for item in page.get("Contents", []))
