"""AWS Budgets: budgets with notifications and subscribers. Nothing is spent here, so none ever rings.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud

SERVICE = "budgets"
# 2087-06-15, the end of a budget that has none.
NO_END = datetime(2087, 6, 15, tzinfo=UTC)
# What a budget of costs counts when nobody says otherwise.
COST_TYPES = {
    "IncludeTax": True,
    "IncludeSubscription": True,
    "UseBlended": False,
    "IncludeRefund": True,
    "IncludeCredit": True,
    "IncludeUpfront": True,
    "IncludeRecurring": True,
    "IncludeOtherSubscription": True,
    "IncludeSupport": True,
    "IncludeDiscount": True,
    "UseAmortized": False,
}
# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_NotificationWithSubscribers.html
MOST_NOTIFICATIONS, MOST_EMAILS = 10, 10
_KEPT = {"BudgetName", "BudgetLimit", "CostTypes", "TimeUnit", "TimePeriod", "BudgetType"}
_UNITS = {"DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY"}

Notification = dict[str, Any]


@dataclass
class Budget:
    """One budget; each notification beside its subscribers."""

    shape: dict[str, Any]
    notifications: list[tuple[Notification, list[dict[str, str]]]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


class Budgets:
    """The service; what it lacks (budget actions, history) is refused."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._budgets: dict[str, Budget] = {}

    def create_budget(self, call: Call) -> None:
        """CreateBudget. Raises DuplicateRecordException, InvalidParameterException."""
        self._check_account(call)
        name = call.params["Budget"]["BudgetName"]
        if name in self._budgets:
            raise AwsError("DuplicateRecordException", f"the budget {name} already exists.")
        budget = Budget(self._shape(call.params["Budget"]))
        for wanted in call.params.get("NotificationsWithSubscribers") or []:
            _add(budget, wanted["Notification"], wanted["Subscribers"])
        budget.tags = {tag["Key"]: tag["Value"] for tag in call.params.get("ResourceTags") or []}
        self._budgets[name] = budget

    def update_budget(self, call: Call) -> None:
        """UpdateBudget: everything but notifications and tags. Raises NotFoundException."""
        wanted = call.params["NewBudget"]
        self._budget(call, wanted["BudgetName"]).shape = self._shape(wanted)

    def describe_budget(self, call: Call) -> Mapping[str, Any]:
        """DescribeBudget. Raises NotFoundException."""
        return {"Budget": self._budget(call).shape}

    def describe_budgets(self, call: Call) -> Mapping[str, Any]:
        """DescribeBudgets, all on one page."""
        self._check_account(call)
        return {"Budgets": [budget.shape for budget in self._budgets.values()]}

    def delete_budget(self, call: Call) -> None:
        """DeleteBudget, its notifications with it. Raises NotFoundException."""
        self._budget(call)
        del self._budgets[call.params["BudgetName"]]

    def create_notification(self, call: Call) -> None:
        """CreateNotification. Raises NotFoundException, DuplicateRecordException."""
        _add(self._budget(call), call.params["Notification"], call.params["Subscribers"])

    def delete_notification(self, call: Call) -> None:
        """DeleteNotification, its subscribers with it. Raises NotFoundException."""
        budget = self._budget(call)
        budget.notifications.remove(_find(budget, call.params["Notification"]))

    def describe_notifications_for_budget(self, call: Call) -> Mapping[str, Any]:
        """DescribeNotificationsForBudget, all on one page. Raises NotFoundException."""
        return {"Notifications": [one for one, _ in self._budget(call).notifications]}

    def describe_subscribers_for_notification(self, call: Call) -> Mapping[str, Any]:
        """DescribeSubscribersForNotification, all on one page. Raises NotFoundException."""
        return {"Subscribers": _find(self._budget(call), call.params["Notification"])[1]}

    def create_subscriber(self, call: Call) -> None:
        """CreateSubscriber. Raises NotFoundException, CreationLimitExceededException."""
        _, subscribers = _find(self._budget(call), call.params["Notification"])
        _check_subscribers([*subscribers, call.params["Subscriber"]])
        subscribers.append(call.params["Subscriber"])

    def delete_subscriber(self, call: Call) -> None:
        """DeleteSubscriber. Raises NotFoundException."""
        _, subscribers = _find(self._budget(call), call.params["Notification"])
        if call.params["Subscriber"] not in subscribers:
            raise AwsError("NotFoundException", "the subscriber doesn't exist.")
        subscribers.remove(call.params["Subscriber"])

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """ListTagsForResource. Raises NotFoundException."""
        tags = self._by_arn(call).tags
        return {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def tag_resource(self, call: Call) -> None:
        """TagResource. Raises NotFoundException."""
        self._by_arn(call).tags.update(
            {tag["Key"]: tag["Value"] for tag in call.params["ResourceTags"]}
        )

    def untag_resource(self, call: Call) -> None:
        """UntagResource. Raises NotFoundException."""
        tags = self._by_arn(call).tags
        for key in call.params["ResourceTagKeys"]:
            tags.pop(key, None)

    def _check_account(self, call: Call) -> None:
        if call.params["AccountId"] != self._cloud.settings.account_id:
            raise AwsError("AccessDeniedException", "Account is not authorized for this action.")

    def _budget(self, call: Call, name: str | None = None) -> Budget:
        self._check_account(call)
        name = name or call.params["BudgetName"]
        if name not in self._budgets:
            raise AwsError("NotFoundException", f"Unable to get budget: {name} doesn't exist.")
        return self._budgets[name]

    def _by_arn(self, call: Call) -> Budget:
        """The budget of arn:aws:budgets::account:budget/name."""
        arn: str = call.params["ResourceARN"]
        prefix = f"arn:aws:budgets::{self._cloud.settings.account_id}:budget/"
        name = arn.removeprefix(prefix)
        if not arn.startswith(prefix) or name not in self._budgets:
            raise AwsError("NotFoundException", f"Unable to find the resource {arn}.")
        return self._budgets[name]

    def _shape(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The budget as DescribeBudget has it, with AWS's defaults."""
        if unknown := [key for key, value in wanted.items() if value and key not in _KEPT]:
            raise NotReproducedError(SERVICE, f"budgets with {', '.join(unknown)}")
        if wanted["BudgetType"] != "COST":
            raise NotReproducedError(SERVICE, f"budgets of {wanted['BudgetType']}")
        if wanted["TimeUnit"] not in _UNITS:
            raise NotReproducedError(SERVICE, f"budgets by {wanted['TimeUnit']}")
        limit = wanted.get("BudgetLimit")
        if not limit or limit["Unit"] != "USD" or float(limit["Amount"]) <= 0:
            raise AwsError(
                "InvalidParameterException", "A budget of costs needs a limit above 0 in USD."
            )
        now = self._cloud.clock.now()
        period = wanted.get("TimePeriod") or {}
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return {
            **{key: value for key, value in wanted.items() if value},
            "CostTypes": COST_TYPES | dict(wanted.get("CostTypes") or {}),
            "TimePeriod": {"Start": period.get("Start", first), "End": period.get("End", NO_END)},
            "CalculatedSpend": {"ActualSpend": {"Amount": "0.0", "Unit": "USD"}},
            "LastUpdatedTime": now,
            "HealthStatus": {"Status": "HEALTHY", "LastUpdatedTime": now},
        }


def _add(budget: Budget, wanted: Notification, subscribers: list[dict[str, str]]) -> None:
    notification = {"ThresholdType": "PERCENTAGE", "NotificationState": "OK", **wanted}
    if any(_same(notification, other) for other, _ in budget.notifications):
        raise AwsError("DuplicateRecordException", "the notification already exists.")
    if len(budget.notifications) >= MOST_NOTIFICATIONS:
        raise AwsError("CreationLimitExceededException", f"more than {MOST_NOTIFICATIONS}.")
    _check_subscribers(subscribers)
    budget.notifications.append((notification, list(subscribers)))


def _check_subscribers(subscribers: list[dict[str, str]]) -> None:
    kinds = [subscriber["SubscriptionType"] for subscriber in subscribers]
    if kinds.count("SNS") > 1 or kinds.count("EMAIL") > MOST_EMAILS:
        raise AwsError(
            "CreationLimitExceededException",
            f"A notification can have one SNS topic and {MOST_EMAILS} email addresses at most.",
        )
    if len({tuple(sorted(subscriber.items())) for subscriber in subscribers}) < len(subscribers):
        raise AwsError("DuplicateRecordException", "the subscriber already exists.")


def _find(budget: Budget, wanted: Notification) -> tuple[Notification, list[dict[str, str]]]:
    for kept in budget.notifications:
        if _same(kept[0], wanted):
            return kept
    raise AwsError("NotFoundException", "the notification doesn't exist.")


def _same(one: Notification, other: Notification) -> bool:
    """Whether two notifications are told of the same."""

    def key(notification: Notification) -> tuple[Any, ...]:
        return (
            notification["NotificationType"],
            notification["ComparisonOperator"],
            float(notification["Threshold"]),
            notification.get("ThresholdType", "PERCENTAGE"),
        )

    return key(one) == key(other)


def register(cloud: Cloud) -> None:
    """Answer the whole service."""
    cloud.api.replace_service(SERVICE, Budgets(cloud))
