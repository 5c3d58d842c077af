"""SNS: moto's topics and subscriptions, kept from calling anybody outside of this machine.

https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud

SERVICE = "sns"
_POLICY_MEMBERS = {"Version", "Id", "Statement"}


def check_subscriber(call: Call) -> None:
    """Before Subscribe: moto would post to any URL. Raises NotReproducedError for one elsewhere.

    Email is kept, unconfirmed and never sent.
    """
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    if protocol in ("http", "https"):
        host = urlsplit(endpoint).hostname or ""
        if not _is_loopback(host):
            raise NotReproducedError(SERVICE, f"subscribers outside of this machine ({host})")
    elif protocol not in ("email", "email-json", "sqs"):
        raise NotReproducedError(SERVICE, f"subscribers by {protocol}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_attribute(call: Call) -> None:
    """Before SetTopicAttributes. Raises InvalidParameter for a policy that is none."""
    if call.params["AttributeName"] == "Policy":
        check_policy(call.params.get("AttributeValue", ""))


def check_attributes(call: Call) -> None:
    """Before CreateTopic, for what is given with it."""
    policy = (call.params.get("Attributes") or {}).get("Policy")
    if policy:
        check_policy(policy)


def check_policy(text: str) -> None:
    """Raise InvalidParameter unless the text is a policy with statements about SNS.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-key-concepts.html
    """
    invalid = AwsError("InvalidParameter", "Invalid parameter: Policy Error: null")
    try:
        policy = json.loads(text)
    except ValueError as error:
        raise invalid from error
    if not isinstance(policy, dict) or set(policy) - _POLICY_MEMBERS:
        raise invalid
    statements: Any = policy.get("Statement") or []
    statements = statements if isinstance(statements, list) else [statements]
    if not statements:
        raise invalid
    for statement in statements:
        actions = statement.get("Action")
        actions = [actions] if isinstance(actions, str) else actions or []
        if not actions or not all(str(a).lower().startswith(("sns:", "*")) for a in actions):
            raise AwsError(
                "InvalidParameter",
                "Invalid parameter: Policy statement action out of service scope!",
            )
        if not statement.get("Principal") or statement.get("Effect") not in ("Allow", "Deny"):
            raise invalid


class Subscriptions:
    """What moto gets wrong of subscriptions: an email address is pending until it is confirmed."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def subscribed(self, call: Call) -> None:
        """After Subscribe. Nobody reads the confirmation that AWS would send."""
        if not call.params["Protocol"].startswith("email"):
            return
        for subscription in self._cloud.backend(SERVICE, call.region).subscriptions.values():
            if (subscription.topic_arn, subscription.endpoint) == (
                call.params["TopicArn"],
                call.params["Endpoint"],
            ):
                subscription.attributes["PendingConfirmation"] = True
                subscription.attributes["ConfirmationWasAuthenticated"] = False


def register(cloud: Cloud) -> None:
    """Look at what moto is about to keep."""
    cloud.api.before(SERVICE, "CreateTopic", check_attributes)
    cloud.api.before(SERVICE, "SetTopicAttributes", check_attribute)
    cloud.api.before(SERVICE, "Subscribe", check_subscriber)
    cloud.api.after(SERVICE, "Subscribe", Subscriptions(cloud).subscribed)
