"""The operations on targets, which are ours, and what follows those that are moto's."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from threading import Event
from typing import Any

from localcloud.api import AwsError, Call
from localcloud.cloud import Cloud
from localcloud.dataplane.envoy import health
from localcloud.services.elbv2 import attributes
from localcloud.services.elbv2.balancing import Balancing
from localcloud.services.elbv2.logs import AccessLogs
from localcloud.services.elbv2.moto_patches import teach

# How long a new load balancer is `provisioning`, in cloud seconds.
PROVISIONING_SECONDS = 20.0

_CHANGES = (
    "CreateLoadBalancer",
    "CreateTargetGroup",
    "DeleteLoadBalancer",
    "ModifyLoadBalancerAttributes",
    "ModifyListener",
    "DeleteListener",
    "ModifyListenerAttributes",
    "AddListenerCertificates",
    "RemoveListenerCertificates",
    "ModifyRule",
    "DeleteRule",
    "ModifyTargetGroup",
    "ModifyTargetGroupAttributes",
    "DeleteTargetGroup",
)


class Operations:
    """Handlers and hooks."""

    def __init__(self, cloud: Cloud, balancing: Balancing) -> None:
        self._cloud = cloud
        self._balancing = balancing
        self._logs = AccessLogs(cloud, balancing)

    def attach(self) -> None:
        """Hook into the operations."""
        api = self._cloud.api
        api.replace("elbv2", "RegisterTargets", self.register_targets)
        api.replace("elbv2", "DeregisterTargets", self.deregister_targets)
        api.replace("elbv2", "DescribeTargetHealth", self.describe_target_health)
        teach(self.new_load_balancer)
        api.after("elbv2", "CreateListener", self.created_listener)
        for operation in ("CreateRule", "SetRulePriorities"):
            api.after("elbv2", operation, self.changed_rules)
        for operation in _CHANGES:
            api.after("elbv2", operation, self.changed)
        api.after("elbv2", "ModifyLoadBalancerAttributes", self._logs.attributes_changed)
        self._cloud.background("elbv2-access-logs", self._logs.run)

    # -- targets -------------------------------------------------------------------------------

    def register_targets(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html."""
        arn = call.params["TargetGroupArn"]
        group = self._balancing.group(arn)
        keys = [self._key(group, target) for target in call.params["Targets"]]
        for ip, port in keys:
            self._balancing.targets.register(arn, ip, port)
        self._balancing.refresh()

    def deregister_targets(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html.

        A target without a port means all of its address.
        """
        arn = call.params["TargetGroupArn"]
        self._balancing.group(arn)
        for target in call.params["Targets"]:
            known = [
                (ip, port)
                for ip, port in self._balancing.targets.of(arn)
                if ip == target["Id"] and target.get("Port", port) == port
            ]
            if not known:
                raise AwsError(
                    "InvalidTarget",
                    f"The following targets are not registered with the target group: "
                    f"'{target['Id']}'",
                )
            for ip, port in known:
                self._balancing.deregister(arn, ip, port)

    def describe_target_health(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html."""
        arn = call.params["TargetGroupArn"]
        group = self._balancing.group(arn)
        found = self._balancing.described_health(arn)
        asked = [
            (target["Id"], int(target.get("Port", group.port)))
            for target in call.params.get("Targets", [])
        ]
        descriptions = []
        for key in asked or found:
            state = found.get(key, health.NOT_REGISTERED)
            told = {"State": state.state, "Reason": state.reason, "Description": state.description}
            port = group.health_check_port
            descriptions.append(
                {
                    "Target": {"Id": key[0], "Port": key[1]},
                    "HealthCheckPort": str(key[1] if port in (None, "traffic-port") else port),
                    "TargetHealth": {name: value for name, value in told.items() if value},
                }
            )
        return {"TargetHealthDescriptions": descriptions}

    def _key(self, group: Any, target: Mapping[str, Any]) -> tuple[str, int]:
        try:
            address = ipaddress.IPv4Address(target["Id"])
        except ValueError as error:
            raise AwsError(
                "ValidationError", f"The IP address '{target['Id']}' is not a valid IPv4 address"
            ) from error
        if not address.is_loopback:
            raise AwsError(
                "InvalidTarget",
                f"The IP address '{address}' is not within this local cloud: its targets have "
                "addresses of 127.0.0.0/8",
            )
        return str(address), int(target.get("Port", group.port))

    # -- after moto ----------------------------------------------------------------------------

    def changed(self, _: Call) -> None:
        """Serve what is now asked for."""
        self._balancing.refresh()

    def changed_rules(self, _: Call) -> None:
        """Rules are described by priority."""
        for listener in self._balancing.listeners():
            rules = listener._non_default_rules
            for arn in sorted(rules, key=lambda arn: int(rules[arn].priority)):
                rules[arn] = rules.pop(arn)
        self._balancing.refresh()

    def new_load_balancer(self, balancer: Any) -> None:
        """Give it its address and AWS's attributes; it is active a little later."""
        balancer.dns_name = self._balancing.address(balancer.arn)
        balancer.attrs = attributes.defaults(attributes.LOAD_BALANCER)
        # moto calls a load balancer active the first time it is described.
        balancer.activate = lambda: None
        self._cloud.background(
            f"elbv2-{balancer.name}", lambda stop: self._activate(balancer, stop)
        )

    def _activate(self, balancer: Any, stop: Event) -> None:
        if not self._cloud.clock.sleep(PROVISIONING_SECONDS, stop):
            with self._cloud.lock:
                balancer.state = "active"

    def created_listener(self, call: Call) -> None:
        """Serve it; when its port cannot be had, nothing of it is left."""
        backend = self._cloud.backend("elbv2", call.region)
        listeners = backend.load_balancers[call.params["LoadBalancerArn"]].listeners
        try:
            self._balancing.refresh()
        except AwsError as error:
            del listeners[next(reversed(listeners))]
            self._balancing.refresh()
            raise AwsError("InvalidConfigurationRequest", error.message) from error
