"""What happens to a database reaches whoever subscribed, and its secret says how often it rotates."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud
from tests.localcloud.data_harness import NEW, available, connect, gone, instance, until


class Subscriber:
    """Somebody who is told, over HTTP, as a pager's endpoint is."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        received = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body.get("Type") == "Notification":
                    assert body["Subject"] == "RDS Notification Message"
                    received.append(json.loads(body["Message"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self, source: str) -> list[str]:
        return [one["Event Message"] for one in self.messages if one["Source ID"] == source]


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = Subscriber()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_subscriber_is_told_what_he_asked_for(
    cloud: RunningCloud, subscriber: Subscriber
) -> None:
    rds, sns = cloud.client("rds"), cloud.client("sns")
    topic = sns.create_topic(Name="told")["TopicArn"]
    address = f"http://127.0.0.1:{subscriber.server.server_port}/"
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
    rds.create_event_subscription(
        SubscriptionName="told",
        SnsTopicArn=topic,
        SourceType="db-instance",
        EventCategories=["creation", "availability", "deletion"],
    )
    for name in ("told", "not-told"):
        rds.create_db_instance(DBInstanceIdentifier=name, **NEW)
    for name in ("told", "not-told"):
        available(rds, name)
    until("the creations are told", lambda: len(subscriber.messages) == 2)
    assert subscriber.told("told") == ["DB instance created"]
    rds.add_source_identifier_to_subscription(SubscriptionName="told", SourceIdentifier="told")
    for name in ("told", "not-told"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    for name in ("told", "not-told"):
        gone(rds, name)
    until("the deletion is told", lambda: "DB instance deleted" in subscriber.told("told"))
    assert subscriber.told("not-told") == ["DB instance created"]
    arn = rds.describe_event_subscriptions(SubscriptionName="told")["EventSubscriptionsList"][0][
        "EventSubscriptionArn"
    ]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "b"}]
    rds.delete_event_subscription(SubscriptionName="told")
    with pytest.raises(ClientError, match="not found"):
        rds.describe_event_subscriptions(SubscriptionName="told")


def test_a_schedule_changes_nothing_but_the_schedule(cloud: RunningCloud) -> None:
    rds, secrets = cloud.client("rds"), cloud.client("secretsmanager")
    new = {name: value for name, value in NEW.items() if name != "MasterUserPassword"}
    rds.create_db_instance(DBInstanceIdentifier="managed", ManageMasterUserPassword=True, **new)
    arn = available(rds, "managed")["MasterUserSecret"]["SecretArn"]
    described = secrets.describe_secret(SecretId=arn)
    assert described["OwningService"] == "rds"
    assert described["RotationEnabled"] is True
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 7}
    before = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["password"]
    secrets.rotate_secret(
        SecretId=arn, RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 365}
    )
    described = secrets.describe_secret(SecretId=arn)
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 365}
    connect(instance(rds, "managed"), before).close()
    secrets.cancel_rotate_secret(SecretId=arn)
    assert secrets.describe_secret(SecretId=arn)["RotationEnabled"] is False
    rds.delete_db_instance(DBInstanceIdentifier="managed", SkipFinalSnapshot=True)
    gone(rds, "managed")
