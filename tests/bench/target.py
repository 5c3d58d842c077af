"""The deployed application that everybody releases: who may reach it, and how it is set up for them."""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from botocore.config import Config

from localcloud import outside
from tests.bench import USER_AGENT
from tests.bench.commands import ROOT

#: Both serve the same; a release goes from one to the other and back.
RELEASES = ("v1", "v2")
#: Minutes of bake where a rollback has to come in between.
LONG_BAKE = 30


class Target:
    """env=local on a local cloud.

    :param content: the cloud's `cloud.json`.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        assert content["endpoint"].startswith("http://127."), content["endpoint"]
        # Others wait by the wall clock: a scaled one would make them look slower than they are.
        assert content["speed"] == 1, (
            f"the local cloud's clock runs at speed {content['speed']:g}, not 1"
        )
        self.content = content
        self.state_dir = Path(content["state_dir"])
        self.record = self.state_dir / "calls.jsonl"
        self.outputs = outside.outputs(content)
        assert self.outputs, f"nothing is deployed on the local cloud of {self.state_dir}"
        self._config = Config(user_agent_extra=USER_AGENT)
        self.ecs = self.client("ecs")
        self.service = {
            "cluster": self.outputs["cluster_name"],
            "service": self.outputs["service_name"],
        }

    def client(self, service: str) -> Any:
        """A client whose calls are told from those of the tools."""
        return outside.session(self.content).client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.content["endpoint"],
            config=self._config,
        )

    def environment(self) -> dict[str, str]:
        """What every command is started with, the same for all; nothing of the caller's own AWS."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_"))}
        return {
            **kept,
            **outside.exports(self.content),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_PAGER": "",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        }

    def serving(self) -> str:
        """The release that answers."""
        context = ssl.create_default_context(cafile=self.content["ca_bundle"])
        url = f"{self.outputs['api_url']}/version"
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            return str(json.loads(answer.read())["release"])

    def other(self) -> str:
        """The release that does not serve."""
        return RELEASES[1 - RELEASES.index(self.serving())]

    def image(self, release: str) -> str:
        """The newest image of a release, by digest; its tags begin with the release's name."""
        url = str(self.outputs["repository_url"])
        found = [
            detail
            for detail in self.client("ecr").describe_images(repositoryName=url.partition("/")[2])[
                "imageDetails"
            ]
            if any(tag.startswith(f"{release}-") for tag in detail.get("imageTags", []))
        ]
        assert found, f"there is no image of {release}"
        return f"{url}@{max(found, key=lambda entry: entry['imagePushedAt'])['imageDigest']}"

    def definition(self, arn: str) -> dict[str, Any]:
        """A task definition."""
        answer = self.ecs.describe_task_definition(taskDefinition=arn)
        content: dict[str, Any] = answer["taskDefinition"]
        return content

    def current_definition(self) -> dict[str, Any]:
        """The service's task definition."""
        service = self.ecs.describe_services(
            cluster=self.service["cluster"], services=[self.service["service"]]
        )["services"][0]
        return self.definition(service["taskDefinition"])

    def migration(self, image: str) -> str:
        """The task definition that has run the migrations of an image."""
        arns = self.ecs.list_task_definitions(
            familyPrefix=f"{self.outputs['task_family']}-migrate", sort="DESC"
        )["taskDefinitionArns"]
        for arn in arns:
            if self.definition(arn)["containerDefinitions"][0]["image"] == image:
                return str(arn)
        raise AssertionError(f"no migrations of {image} have run")

    def network(self) -> dict[str, Any]:
        """Where tasks run."""
        return {
            "subnets": self.outputs["subnet_ids"],
            "securityGroups": self.outputs["app_security_group_ids"],
            "assignPublicIp": "DISABLED",
        }

    def without_hook(self) -> None:
        """Blue/green without bake and without a hook: nobody else could answer one.

        This starts no deployment: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
        """
        self.ecs.update_service(
            **self.service,
            deploymentConfiguration={
                "strategy": "BLUE_GREEN",
                "bakeTimeInMinutes": 0,
                "lifecycleHooks": [],
            },
        )

    def last_deployment(self) -> dict[str, Any]:
        """The newest service deployment."""
        found = self.ecs.list_service_deployments(**self.service)["serviceDeployments"]
        newest: dict[str, Any] = max(found, key=lambda entry: entry["createdAt"])
        return newest

    def settle(self, seconds: float = 300.0) -> None:
        """Wait until no deployment is in progress."""
        end = time.monotonic() + seconds
        while "finishedAt" not in self.last_deployment():
            assert time.monotonic() < end, "a deployment does not end"
            time.sleep(0.5)
