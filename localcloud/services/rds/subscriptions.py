"""Event subscriptions: each event that happens here is published to the topics that asked for it.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsError, Call
from localcloud.services.rds.common import identifier, invalid_combination, page, tags_of

if TYPE_CHECKING:
    from localcloud.services.rds.state import State

log = logging.getLogger("localcloud")

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
CATEGORIES = {
    "db-instance": [
        "availability",
        "backup",
        "configuration change",
        "creation",
        "deletion",
        "failover",
        "failure",
        "low storage",
        "maintenance",
        "notification",
        "read replica",
        "recovery",
        "restoration",
        "security",
        "security patching",
    ],
    "db-snapshot": ["creation", "deletion", "failure", "notification", "restoration"],
    "db-parameter-group": ["configuration change"],
}
_SUBJECT = "RDS Notification Message"


@dataclass
class Subscription:
    """An event subscription; an empty list of categories or sources means all of them."""

    name: str
    topic: str
    created: datetime
    source_type: str | None = None
    categories: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    enabled: bool = True
    tags: list[dict[str, str]] = field(default_factory=list)

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Whether an event of DescribeEvents is one that was subscribed to."""
        return (
            self.enabled
            and self.source_type in (None, event["SourceType"])
            and (not self.sources or event["SourceIdentifier"] in self.sources)
            and (not self.categories or bool(set(self.categories) & set(event["EventCategories"])))
        )


def message(event: Mapping[str, Any]) -> str:
    """An event as RDS writes it into a notification, without the console's link and the id."""
    return json.dumps(
        {
            "Event Source": event["SourceType"],
            "Event Time": event["Date"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "Source ID": event["SourceIdentifier"],
            "Source ARN": event["SourceArn"],
            "Event Message": event["Message"],
        }
    )


def deliver(state: State, event: Mapping[str, Any]) -> None:
    """Publish an event to the topic of every subscription that wants it; under the cloud's lock."""
    sns = state.cloud.backend("sns")
    for subscription in state.subscriptions.values():
        if subscription.wants(event):
            try:
                sns.publish(message(event), arn=subscription.topic, subject=_SUBJECT)
            except Exception as error:
                # As on AWS: a topic that is gone loses the notification, not the database's work.
                log.warning("event of %s not published: %s", event["SourceIdentifier"], error)


class SubscriptionApi:
    """Operations on event subscriptions."""

    def __init__(self, state: State) -> None:
        self._state = state

    def _find(self, call: Call) -> Subscription:
        name = call.params["SubscriptionName"]
        found = self._state.subscriptions.get(name.lower())
        if found is None:
            raise AwsError("SubscriptionNotFound", f"Event subscription {name} not found.", 404)
        return found

    def _shape(self, kept: Subscription) -> dict[str, Any]:
        shape = {
            "CustomerAwsId": self._state.cloud.settings.account_id,
            "CustSubscriptionId": kept.name,
            "SnsTopicArn": kept.topic,
            "Status": "active",
            "SubscriptionCreationTime": kept.created.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "SourceIdsList": kept.sources,
            "EventCategoriesList": kept.categories,
            "Enabled": kept.enabled,
            "EventSubscriptionArn": self._state.arn("es", kept.name),
        }
        return shape | ({"SourceType": kept.source_type} if kept.source_type else {})

    def _check(
        self, topic: str, source_type: str | None, categories: list[str], sources: list[str]
    ) -> None:
        if topic not in self._state.cloud.backend("sns").topics:
            raise AwsError("SNSTopicArnNotFound", f"The topic {topic} does not exist.", 404)
        if source_type is not None and source_type not in CATEGORIES:
            raise AwsError("InvalidParameterValue", f"Unknown source type: {source_type}")
        if sources and source_type is None:
            raise invalid_combination("SourceIds need a SourceType.")
        known = {
            name
            for kind, names in CATEGORIES.items()
            for name in names
            if source_type in (None, kind)
        }
        unknown = sorted(set(categories) - known)
        if unknown:
            raise AwsError(
                "SubscriptionCategoryNotFound", f"Unknown categories: {', '.join(unknown)}", 404
            )
        for source in sources:
            self._check_source(source_type, source)

    def _check_source(self, source_type: str | None, source: str) -> None:
        state = self._state
        kept: dict[str, Mapping[str, Any]] = {
            "db-instance": state.instances,
            "db-snapshot": state.snapshots,
            "db-parameter-group": state.parameter_groups,
        }
        if source not in kept.get(source_type or "", {}):
            raise AwsError("SourceNotFound", f"Event source {source} not found.", 404)

    def create_event_subscription(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateEventSubscription.html"""
        params, state = call.params, self._state
        name = identifier(params["SubscriptionName"], "SubscriptionName", 254)
        if name in state.subscriptions:
            raise AwsError("SubscriptionAlreadyExist", f"Event subscription {name} already exists.")
        made = Subscription(
            name,
            params["SnsTopicArn"],
            state.cloud.clock.now(),
            params.get("SourceType"),
            list(params.get("EventCategories") or []),
            [source.lower() for source in params.get("SourceIds") or []],
            params.get("Enabled") is not False,
            tags_of(call),
        )
        self._check(made.topic, made.source_type, made.categories, made.sources)
        state.subscriptions[name] = made
        return {"EventSubscription": self._shape(made)}

    def describe_event_subscriptions(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEventSubscriptions.html"""
        named = call.params.get("SubscriptionName")
        kept = [self._find(call)] if named else list(self._state.subscriptions.values())
        return page(call, "EventSubscriptionsList", [self._shape(one) for one in kept])

    def modify_event_subscription(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyEventSubscription.html

        The sources are changed by two operations of their own.
        """
        kept, params = self._find(call), call.params
        topic = params.get("SnsTopicArn") or kept.topic
        source_type = params.get("SourceType") or kept.source_type
        categories = params.get("EventCategories")
        categories = kept.categories if categories is None else list(categories)
        self._check(topic, source_type, categories, [])
        kept.topic, kept.source_type, kept.categories = topic, source_type, categories
        if params.get("Enabled") is not None:
            kept.enabled = params["Enabled"]
        return {"EventSubscription": self._shape(kept)}

    def add_source_identifier_to_subscription(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddSourceIdentifierToSubscription.html"""
        kept, source = self._find(call), call.params["SourceIdentifier"].lower()
        self._check_source(kept.source_type, source)
        if source not in kept.sources:
            kept.sources.append(source)
        return {"EventSubscription": self._shape(kept)}

    def remove_source_identifier_from_subscription(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveSourceIdentifierFromSubscription.html"""
        kept, source = self._find(call), call.params["SourceIdentifier"].lower()
        if source not in kept.sources:
            raise AwsError("SourceNotFound", f"Event source {source} not found.", 404)
        kept.sources.remove(source)
        return {"EventSubscription": self._shape(kept)}

    def delete_event_subscription(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteEventSubscription.html"""
        kept = self._find(call)
        del self._state.subscriptions[kept.name]
        return {"EventSubscription": self._shape(kept)}
