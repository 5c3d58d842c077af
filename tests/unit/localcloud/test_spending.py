"""AWS Budgets and Cost Anomaly Detection: what is kept, and what AWS refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moto.utilities.tagging_service import TaggingService

from localcloud.api import AwsError, Call, NotReproducedError, OperationTable
from localcloud.cloud import Cloud
from localcloud.services import budgets, ce

ACCOUNT = "123456789012"
TOPIC = {"SubscriptionType": "SNS", "Address": f"arn:aws:sns:us-east-1:{ACCOUNT}:cost"}
MAIL = {"SubscriptionType": "EMAIL", "Address": "a@lyo.example"}
BUDGET = {
    "BudgetName": "lyo",
    "BudgetType": "COST",
    "TimeUnit": "MONTHLY",
    "BudgetLimit": {"Amount": "177.00", "Unit": "USD"},
}
ARN = f"arn:aws:budgets::{ACCOUNT}:budget/lyo"
MONITOR = {"MonitorName": "lyo", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}


def notification(threshold: float = 80, kind: str = "ACTUAL") -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": threshold,
        "ThresholdType": "PERCENTAGE",
    }


class FakeCloud:
    def __init__(self) -> None:
        self.api = OperationTable()
        self.settings = SimpleNamespace(account_id=ACCOUNT)
        self.clock = SimpleNamespace(now=lambda: datetime(2026, 11, 23, tzinfo=UTC))
        self._ce = SimpleNamespace(tagger=TaggingService(), cost_categories={})

    def backend(self, service: str) -> Any:
        assert service == "ce"
        return self._ce

    def call(self, service: str, operation: str, **params: Any) -> Any:
        handler = self.api.handler(service, operation)
        assert handler is not None
        return handler(Call(service, operation, ACCOUNT, "us-east-1", params))

    def budgets(self, operation: str, **params: Any) -> Any:
        return self.call("budgets", operation, **{"AccountId": ACCOUNT, **params})


@pytest.fixture
def cloud() -> FakeCloud:
    made = FakeCloud()
    budgets.register(cast(Cloud, made))
    ce.register(cast(Cloud, made))
    return made


@pytest.fixture
def budget(cloud: FakeCloud) -> FakeCloud:
    cloud.budgets(
        "CreateBudget",
        Budget=BUDGET,
        NotificationsWithSubscribers=[{"Notification": notification(), "Subscribers": [TOPIC]}],
        ResourceTags=[{"Key": "k", "Value": "v"}],
    )
    return cloud


def test_a_budget_has_aws_s_defaults(budget: FakeCloud) -> None:
    kept = budget.budgets("DescribeBudget", BudgetName="lyo")["Budget"]
    assert kept["BudgetLimit"] == BUDGET["BudgetLimit"]
    assert kept["CostTypes"]["IncludeTax"] is True
    assert kept["CostTypes"]["UseBlended"] is False
    assert kept["TimePeriod"]["Start"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert kept["TimePeriod"]["End"] == datetime(2087, 6, 15, tzinfo=UTC)
    assert budget.budgets("DescribeBudgets")["Budgets"] == [kept]


def test_an_update_leaves_notifications_and_tags(budget: FakeCloud) -> None:
    wanted = {**BUDGET, "BudgetLimit": {"Amount": "200", "Unit": "USD"}}
    budget.budgets("UpdateBudget", NewBudget=wanted)
    kept = budget.budgets("DescribeBudget", BudgetName="lyo")["Budget"]
    assert kept["BudgetLimit"]["Amount"] == "200"
    found = budget.budgets("DescribeNotificationsForBudget", BudgetName="lyo")["Notifications"]
    assert [one["Threshold"] for one in found] == [80]
    tags = budget.budgets("ListTagsForResource", ResourceARN=ARN)["ResourceTags"]
    assert tags == [{"Key": "k", "Value": "v"}]


def test_notifications_and_subscribers_come_and_go(budget: FakeCloud) -> None:
    def subscribers(of: dict[str, Any]) -> Any:
        return budget.budgets(
            "DescribeSubscribersForNotification", BudgetName="lyo", Notification=of
        )["Subscribers"]

    forecast = notification(100, "FORECASTED")
    budget.budgets(
        "CreateNotification", BudgetName="lyo", Notification=forecast, Subscribers=[MAIL]
    )
    assert subscribers(notification()) == [TOPIC]
    assert subscribers(forecast) == [MAIL]
    budget.budgets("CreateSubscriber", BudgetName="lyo", Notification=forecast, Subscriber=TOPIC)
    budget.budgets("DeleteSubscriber", BudgetName="lyo", Notification=forecast, Subscriber=MAIL)
    assert subscribers(forecast) == [TOPIC]
    budget.budgets("DeleteNotification", BudgetName="lyo", Notification=forecast)
    with pytest.raises(AwsError) as error:
        subscribers(forecast)
    assert error.value.code == "NotFoundException"


def test_one_topic_a_notification_and_no_notification_twice(budget: FakeCloud) -> None:
    other = {**TOPIC, "Address": TOPIC["Address"] + "2"}
    with pytest.raises(AwsError) as error:
        budget.budgets(
            "CreateSubscriber", BudgetName="lyo", Notification=notification(), Subscriber=other
        )
    assert error.value.code == "CreationLimitExceededException"
    with pytest.raises(AwsError) as error:
        budget.budgets(
            "CreateNotification",
            BudgetName="lyo",
            Notification=notification(80.0),
            Subscribers=[TOPIC],
        )
    assert error.value.code == "DuplicateRecordException"


def test_budgets_of_others_twice_or_without_a_limit_are_refused(budget: FakeCloud) -> None:
    for code, params in (
        ("DuplicateRecordException", {"Budget": BUDGET}),
        ("InvalidParameterException", {"Budget": {**BUDGET, "BudgetName": "b", "BudgetLimit": {}}}),
        ("AccessDeniedException", {"Budget": BUDGET, "AccountId": "210987654321"}),
    ):
        with pytest.raises(AwsError) as error:
            budget.budgets("CreateBudget", **params)
        assert error.value.code == code
    budget.budgets("DeleteBudget", BudgetName="lyo")
    with pytest.raises(AwsError):
        budget.budgets("DescribeBudget", BudgetName="lyo")


def test_kinds_of_budgets_that_are_not_kept_are_refused(cloud: FakeCloud) -> None:
    for change in ({"BudgetType": "USAGE"}, {"CostFilters": {"Service": ["EC2"]}}):
        with pytest.raises(NotReproducedError):
            cloud.budgets("CreateBudget", Budget={**BUDGET, **change})
    with pytest.raises(NotReproducedError):
        cloud.budgets("CreateBudgetAction")


def subscription(*monitors: str, **changes: Any) -> dict[str, Any]:
    return {
        "SubscriptionName": "lyo",
        "Frequency": "IMMEDIATE",
        "MonitorArnList": list(monitors),
        "Subscribers": [{"Type": "SNS", "Address": TOPIC["Address"]}],
        "ThresholdExpression": {
            "Dimensions": {"Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE", "Values": ["10"]}
        },
        **changes,
    }


def test_an_account_has_one_monitor_of_all_services(cloud: FakeCloud) -> None:
    arn = cloud.call("ce", "CreateAnomalyMonitor", AnomalyMonitor=MONITOR)["MonitorArn"]
    with pytest.raises(AwsError) as error:
        cloud.call("ce", "CreateAnomalyMonitor", AnomalyMonitor={**MONITOR, "MonitorName": "two"})
    assert error.value.code == "LimitExceededException"
    cloud.call("ce", "UpdateAnomalyMonitor", MonitorArn=arn, MonitorName="new")
    found = cloud.call("ce", "GetAnomalyMonitors", MonitorArnList=[arn])["AnomalyMonitors"]
    assert [monitor["MonitorName"] for monitor in found] == ["new"]
    cloud.call("ce", "DeleteAnomalyMonitor", MonitorArn=arn)
    cloud.call("ce", "CreateAnomalyMonitor", AnomalyMonitor=MONITOR)
    with pytest.raises(NotReproducedError):
        cloud.call(
            "ce", "CreateAnomalyMonitor", AnomalyMonitor={**MONITOR, "MonitorType": "CUSTOM"}
        )


def test_a_subscription_names_monitors_and_tells_sns_at_once(cloud: FakeCloud) -> None:
    arn = cloud.call("ce", "CreateAnomalyMonitor", AnomalyMonitor=MONITOR)["MonitorArn"]
    for refused in (
        subscription("arn:aws:ce::123456789012:anomalymonitor/none"),
        subscription(arn, Frequency="DAILY"),
        subscription(arn, Threshold=10.0),
        subscription(arn, Subscribers=[{"Type": "EMAIL", "Address": "a@lyo.example"}]),
    ):
        with pytest.raises(AwsError):
            cloud.call("ce", "CreateAnomalySubscription", AnomalySubscription=refused)
    made = cloud.call(
        "ce",
        "CreateAnomalySubscription",
        AnomalySubscription=subscription(arn),
        ResourceTags=[{"Key": "k", "Value": "v"}],
    )["SubscriptionArn"]
    tags = cloud.call("ce", "ListTagsForResource", ResourceArn=made)["ResourceTags"]
    assert tags == [{"Key": "k", "Value": "v"}]
    with pytest.raises(AwsError):
        cloud.call("ce", "UpdateAnomalySubscription", SubscriptionArn=made, Frequency="WEEKLY")
    cloud.call("ce", "UpdateAnomalySubscription", SubscriptionArn=made, SubscriptionName="new")
    found = cloud.call("ce", "GetAnomalySubscriptions", MonitorArn=arn)["AnomalySubscriptions"]
    assert [(s["SubscriptionName"], s["Frequency"]) for s in found] == [("new", "IMMEDIATE")]
    cloud.call("ce", "DeleteAnomalySubscription", SubscriptionArn=made)
    with pytest.raises(AwsError):
        cloud.call("ce", "ListTagsForResource", ResourceArn=made)
