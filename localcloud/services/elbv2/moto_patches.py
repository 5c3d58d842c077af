"""What moto's control plane is taught, so that its answers are AWS's.

The methods of moto's backend are wrapped, once for the process: an answer is serialised from what
they return, so a hook after the operation would come too late.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeAction

from localcloud.services.elbv2 import attributes, translate

Prepare = Callable[[Any], None]
DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"


def normal(action: Any) -> Any:
    """A forward action in both notations, as AWS shows one; others as they are.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html
    """
    if action.type != "forward":
        return action
    weights = translate.forward_weights(action.data)
    if "ForwardConfig" in action.data and ("TargetGroupArn" in action.data) == (len(weights) == 1):
        return action
    data = {key: value for key, value in action.data.items() if key != "TargetGroupArn"}
    if len(weights) == 1:
        data["TargetGroupArn"] = next(iter(weights))
    data.setdefault(
        "ForwardConfig",
        {
            "TargetGroups": [
                {"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()
            ]
        },
    )
    return FakeAction(data)


def _rule(rule: Any) -> None:
    rule.actions = [normal(action) for action in rule.actions]


def _listener(listener: Any) -> None:
    default = listener.rules[0]
    _rule(default)
    listener.default_actions = default.actions
    if listener.protocol == "HTTP":
        listener.ssl_policy = None
    elif not listener.ssl_policy:
        listener.ssl_policy = DEFAULT_POLICY


def _new_listener(listener: Any) -> None:
    listener.attributes = attributes.defaults(attributes.LISTENER)
    _listener(listener)


def _new_group(group: Any) -> None:
    group.attributes = attributes.defaults(attributes.TARGET_GROUP)


def _wrap(name: str, prepare: Prepare) -> None:
    original = getattr(ELBv2Backend, name)
    original = getattr(original, "__wrapped__", original)

    @functools.wraps(original)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        prepare(result)
        return result

    setattr(ELBv2Backend, name, wrapped)


def _keep_more_certificates() -> None:
    """moto drops the certificates beside the default one when a listener is modified."""
    original = ELBv2Backend.modify_listener
    original = getattr(original, "__wrapped__", original)

    @functools.wraps(original)
    def wrapped(self: Any, arn: str, *args: Any, **kwargs: Any) -> Any:
        more = [
            certificate
            for balancer in self.load_balancers.values()
            if arn in balancer.listeners
            for certificate in balancer.listeners[arn].certificates[1:]
        ]
        listener = original(self, arn, *args, **kwargs)
        listener.certificates = list(dict.fromkeys([*listener.certificates[:1], *more]))
        _listener(listener)
        return listener

    ELBv2Backend.modify_listener = wrapped  # type: ignore[method-assign]


def teach(new_load_balancer: Prepare) -> None:
    """Wrap the methods; new_load_balancer prepares a load balancer before it is first described."""
    _wrap("create_load_balancer", new_load_balancer)
    _wrap("create_target_group", _new_group)
    _wrap("create_listener", _new_listener)
    _wrap("create_rule", _rule)
    _wrap("modify_rule", _rule)
    _keep_more_certificates()
