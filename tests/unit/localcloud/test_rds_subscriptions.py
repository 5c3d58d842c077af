"""Event subscriptions: who is told of what, and what a subscription may ask for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from localcloud.api import AwsError, Call
from localcloud.services.rds.state import State
from localcloud.services.rds.subscriptions import Subscription, SubscriptionApi, deliver

NOW = datetime(2026, 11, 23, 3, 0, 0, 250000, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-south-1:123456789012:warning"


class FakeSns:
    def __init__(self) -> None:
        self.topics = {TOPIC: None, f"{TOPIC}-broken": None}
        self.published: list[tuple[str, dict[str, Any], str]] = []

    def publish(self, message: str, arn: str, subject: str) -> None:
        if arn != TOPIC:
            raise ValueError("Invalid parameter: TopicArn")
        self.published.append((arn, json.loads(message), subject))


class FakeState:
    def __init__(self) -> None:
        self.sns = FakeSns()
        self.subscriptions: dict[str, Subscription] = {}
        self.instances = {"lyo-local": None}
        self.snapshots: dict[str, None] = {}
        self.parameter_groups: dict[str, None] = {}
        self.cloud = SimpleNamespace(
            backend=lambda _: self.sns,
            clock=SimpleNamespace(now=lambda: NOW),
            settings=SimpleNamespace(account_id="123456789012"),
        )

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:rds:eu-south-1:123456789012:{kind}:{name}"


def api(state: FakeState) -> SubscriptionApi:
    return SubscriptionApi(cast(State, state))


def call(**params: Any) -> Call:
    return Call("rds", "Call", "123456789012", "eu-south-1", params)


def wanted(**changes: Any) -> Call:
    params = {
        "SubscriptionName": "Lyo-Local",
        "SnsTopicArn": TOPIC,
        "SourceType": "db-instance",
        "SourceIds": ["lyo-local"],
        "EventCategories": ["failover", "availability"],
    }
    return call(**{**params, **changes})


def event(**changes: Any) -> dict[str, Any]:
    return {
        "SourceIdentifier": "lyo-local",
        "SourceType": "db-instance",
        "Message": "DB instance restarted",
        "EventCategories": ["availability"],
        "Date": NOW,
        "SourceArn": "arn:aws:rds:eu-south-1:123456789012:db:lyo-local",
        **changes,
    }


def tell(state: FakeState, **changes: Any) -> list[tuple[str, dict[str, Any], str]]:
    deliver(cast(State, state), event(**changes))
    return state.sns.published


def test_an_event_reaches_the_topic_as_rds_writes_it() -> None:
    state = FakeState()
    made = api(state).create_event_subscription(wanted())["EventSubscription"]
    assert made["CustSubscriptionId"] == "lyo-local"
    assert made["Status"] == "active"
    ((topic, message, subject),) = tell(state)
    assert (topic, subject) == (TOPIC, "RDS Notification Message")
    assert message == {
        "Event Source": "db-instance",
        "Event Time": "2026-11-23 03:00:00.250",
        "Source ID": "lyo-local",
        "Source ARN": "arn:aws:rds:eu-south-1:123456789012:db:lyo-local",
        "Event Message": "DB instance restarted",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"SourceIdentifier": "other"},
        {"SourceType": "db-snapshot"},
        {"EventCategories": ["backup"]},
    ],
)
def test_other_events_are_not_told(changes: dict[str, Any]) -> None:
    state = FakeState()
    api(state).create_event_subscription(wanted())
    assert tell(state, **changes) == []


def test_without_sources_and_categories_everything_is_told() -> None:
    state = FakeState()
    everything = call(SubscriptionName="all", SnsTopicArn=TOPIC)
    api(state).create_event_subscription(everything)
    assert len(tell(state, SourceIdentifier="x", SourceType="db-snapshot")) == 1


def test_a_subscription_can_be_switched_off_and_changed() -> None:
    state = FakeState()
    api(state).create_event_subscription(wanted())
    name = {"SubscriptionName": "lyo-local"}
    api(state).modify_event_subscription(call(**name, Enabled=False))
    assert tell(state) == []
    api(state).modify_event_subscription(call(**name, Enabled=True, EventCategories=["backup"]))
    assert tell(state) == []
    assert len(tell(state, EventCategories=["backup"])) == 1
    api(state).remove_source_identifier_from_subscription(
        call(**name, SourceIdentifier="lyo-local")
    )
    assert len(tell(state, EventCategories=["backup"], SourceIdentifier="other")) == 2
    api(state).add_source_identifier_to_subscription(call(**name, SourceIdentifier="lyo-local"))
    assert len(tell(state, EventCategories=["backup"], SourceIdentifier="other")) == 2
    api(state).delete_event_subscription(call(**name))
    assert len(tell(state, EventCategories=["backup"])) == 2


def test_a_broken_topic_keeps_nobody_else_from_being_told() -> None:
    state = FakeState()
    api(state).create_event_subscription(
        wanted(SubscriptionName="first", SnsTopicArn=f"{TOPIC}-broken")
    )
    api(state).create_event_subscription(wanted())
    assert len(tell(state)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SnsTopicArn": f"{TOPIC}-gone"}, "SNSTopicArnNotFound"),
        ({"SourceType": "db-cluster"}, "InvalidParameterValue"),
        ({"SourceType": None}, "InvalidParameterCombination"),
        ({"SourceIds": ["other"]}, "SourceNotFound"),
        ({"EventCategories": ["restart"]}, "SubscriptionCategoryNotFound"),
        ({"SubscriptionName": "1st"}, "InvalidParameterValue"),
    ],
)
def test_wrong_subscriptions_are_refused(changes: dict[str, Any], code: str) -> None:
    state = FakeState()
    with pytest.raises(AwsError) as caught:
        api(state).create_event_subscription(wanted(**changes))
    assert caught.value.code == code
    assert state.subscriptions == {}


def test_names_are_unique_and_must_be_known() -> None:
    state = FakeState()
    api(state).create_event_subscription(wanted())
    with pytest.raises(AwsError) as caught:
        api(state).create_event_subscription(wanted())
    assert caught.value.code == "SubscriptionAlreadyExist"
    with pytest.raises(AwsError) as caught:
        api(state).describe_event_subscriptions(call(SubscriptionName="other"))
    assert caught.value.code == "SubscriptionNotFound"
    listed = api(state).describe_event_subscriptions(call())["EventSubscriptionsList"]
    assert [one["CustSubscriptionId"] for one in listed] == ["lyo-local"]
