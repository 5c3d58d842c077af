"""Events and tags."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.services.rds.common import invalid_combination, invalid_value, page, with_tags
from localcloud.services.rds.state import State
from localcloud.services.rds.subscriptions import CATEGORIES


class EventApi:
    """DescribeEvents, and the tags of whatever has some."""

    def __init__(self, state: State) -> None:
        self._state = state

    def describe_events(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html"""
        params = call.params
        if params.get("SourceIdentifier") and not params.get("SourceType"):
            raise invalid_combination("SourceIdentifier needs SourceType.")
        now = self._state.cloud.clock.now()
        end = params.get("EndTime") or now
        start = params.get("StartTime") or end - timedelta(minutes=params.get("Duration") or 60)
        wanted = set(params.get("EventCategories") or [])
        events = [
            event
            for event in self._state.events
            if params.get("SourceIdentifier") in (None, "", event["SourceIdentifier"])
            and params.get("SourceType") in (None, "", event["SourceType"])
            and start <= event["Date"] <= end
            and (not wanted or wanted & set(event["EventCategories"]))
        ]
        return page(call, "Events", events)

    def describe_event_categories(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEventCategories.html"""
        kind = call.params.get("SourceType")
        return {
            "EventCategoriesMapList": [
                {"SourceType": name, "EventCategories": categories}
                for name, categories in CATEGORIES.items()
                if kind in (None, name)
            ]
        }

    def describe_pending_maintenance_actions(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribePendingMaintenanceActions.html

        Nothing is ever pending: the engine's version changes with the project's lock file.
        """
        return page(call, "PendingMaintenanceActions", [])

    def _tagged(self, arn: str) -> Any:
        """The record an ARN names, or moto's for what is moto's (option groups)."""
        parts = arn.split(":", 6)
        if len(parts) < 7 or parts[2] != "rds":
            raise invalid_value(f"Invalid resource name: {arn}")
        kind, name, state = parts[5], parts[6], self._state
        if kind == "db":
            return state.instance(name)
        if kind == "snapshot":
            return state.snapshot(name)
        if kind == "pg":
            return state.parameter_group(name)
        if kind == "subgrp":
            if name.lower() not in state.subnet_groups:
                raise AwsError(
                    "DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404
                )
            return state.subnet_groups[name.lower()]
        if kind == "auto-backup":
            for record in state.retained.values():
                if record.members["DbiResourceId"].removeprefix("db-").lower() in name:
                    return record
        if kind == "es" and name in state.subscriptions:
            return state.subscriptions[name]
        found = state.cloud.backend("rds").option_groups.get(name) if kind == "og" else None
        if found is None:
            raise invalid_value(
                f"The specified resource name does not match an RDS resource: {arn}"
            )
        return found

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ListTagsForResource.html"""
        return {"TagList": list(self._tagged(call.params["ResourceName"]).tags)}

    def add_tags_to_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html"""
        record = self._tagged(call.params["ResourceName"])
        record.tags = with_tags(record.tags, call.params["Tags"])

    def remove_tags_from_resource(self, call: Call) -> None:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveTagsFromResource.html"""
        record = self._tagged(call.params["ResourceName"])
        gone = set(call.params["TagKeys"])
        record.tags = [tag for tag in record.tags if tag["Key"] not in gone]
