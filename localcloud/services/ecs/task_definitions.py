"""Task definitions: register, deregister, delete, describe, list.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definitions.html
"""

from __future__ import annotations

from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.ecs.shapes import page, present, task_definition_shape
from localcloud.services.ecs.store import EcsBase, TaskDefinition, checked_tags
from localcloud.services.ecs.task_definition_rules import normalise


class TaskDefinitionsApi(EcsBase):
    """Operations on task definitions."""

    def register_task_definition(self, call: Call) -> dict[str, Any]:
        """RegisterTaskDefinition: always a new revision, also of an equal definition.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
        """
        tags = checked_tags(call.params.get("tags"))
        shape = normalise(call.params, self.store.region)
        shape["registeredBy"] = f"arn:aws:iam::{self.store.account_id}:root"
        family = call.params["family"]
        revision = self.store.last_revisions.get(family, 0) + 1
        self.store.last_revisions[family] = revision
        definition = TaskDefinition(
            arn=self.store.arn("task-definition", f"{family}:{revision}"),
            family=family,
            revision=revision,
            shape=shape,
            tags=tags,
            registered_at=self.cloud.clock.now(),
        )
        self.store.task_definitions.setdefault(family, {})[revision] = definition
        return {"taskDefinition": task_definition_shape(definition), "tags": definition.tags}

    def describe_task_definition(self, call: Call) -> dict[str, Any]:
        """DescribeTaskDefinition by family (latest ACTIVE), family:revision or ARN.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
        """
        self._finish_deletions()
        definition = self.store.task_definition(call.params["taskDefinition"])
        answer: dict[str, Any] = {"taskDefinition": task_definition_shape(definition)}
        if "TAGS" in call.params.get("include", ()):
            answer["tags"] = definition.tags
        return answer

    def deregister_task_definition(self, call: Call) -> dict[str, Any]:
        """DeregisterTaskDefinition: INACTIVE; what runs on it goes on.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
        """
        definition = self._revision(call.params["taskDefinition"])
        if definition.status == "ACTIVE":
            definition.status = "INACTIVE"
            definition.deregistered_at = self.cloud.clock.now()
        return {"taskDefinition": task_definition_shape(definition)}

    def delete_task_definitions(self, call: Call) -> dict[str, Any]:
        """DeleteTaskDefinitions: INACTIVE ones go to DELETE_IN_PROGRESS until nothing uses them.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html
        """
        refs = call.params["taskDefinitions"]
        if not 1 <= len(refs) <= 10:
            raise AwsError("InvalidParameterException", "Specify 1 to 10 task definitions.")
        deleted, failures = [], []
        for ref in refs:
            try:
                definition = self._revision(ref)
            except AwsError as error:
                failures.append({"arn": ref, "reason": error.message})
                continue
            if definition.status == "ACTIVE":
                failures.append(
                    {
                        "arn": definition.arn,
                        "reason": "The specified task definition is still in ACTIVE status. "
                        "Please deregister the target and try again.",
                    }
                )
                continue
            definition.status = "DELETE_IN_PROGRESS"
            definition.delete_requested_at = self.cloud.clock.now()
            deleted.append(task_definition_shape(definition))
        return {"taskDefinitions": deleted, "failures": failures}

    def list_task_definitions(self, call: Call) -> dict[str, Any]:
        """ListTaskDefinitions: by family and revision; ``familyPrefix`` is a whole family name.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
        """
        p = call.params
        self._finish_deletions()
        arns = [
            definition.arn
            for definition in self.store.all_task_definitions()
            if definition.status == p.get("status", "ACTIVE")
            and p.get("familyPrefix") in (None, definition.family)
        ]
        if p.get("sort") == "DESC":
            arns.reverse()
        items, token = page(arns, p.get("nextToken"), p.get("maxResults"))
        return present({"taskDefinitionArns": items, "nextToken": token})

    def list_task_definition_families(self, call: Call) -> dict[str, Any]:
        """ListTaskDefinitionFamilies: ACTIVE families have an ACTIVE revision.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html
        """
        p = call.params
        self._finish_deletions()
        status = p.get("status", "ALL")
        families = []
        for family, revisions in sorted(self.store.task_definitions.items()):
            active = any(d.status == "ACTIVE" for d in revisions.values())
            wanted = status == "ALL" or active == (status == "ACTIVE")
            if revisions and wanted and family.startswith(p.get("familyPrefix", "")):
                families.append(family)
        items, token = page(families, p.get("nextToken"), p.get("maxResults"))
        return present({"families": items, "nextToken": token})

    def _revision(self, ref: str) -> TaskDefinition:
        """A revision named as such. Raises ``ClientException``."""
        if ":" not in ref.rsplit("/", 1)[-1]:
            raise AwsError("ClientException", "Revision is missing.")
        found = self.store.find_task_definition(ref)
        if found is None:
            raise AwsError("ClientException", "The specified task definition does not exist.")
        return found

    def _finish_deletions(self) -> None:
        """Forget revisions in deletion that no task and no service uses any more."""
        used = {task.task_definition_arn for task in self.engine.tasks() if not task.stopped}
        for revisions in self.store.task_definitions.values():
            for number, definition in list(revisions.items()):
                if (
                    definition.status == "DELETE_IN_PROGRESS"
                    and definition.arn not in used
                    and not self.store.uses_task_definition(definition.arn)
                ):
                    del revisions[number]
