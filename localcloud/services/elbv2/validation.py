"""What is refused before moto hears of it: what AWS refuses, and what is not reproduced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.elbv2.ssl_policies import SSL_POLICIES

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.dataplane.envoy.clusters import matcher_ranges
from localcloud.dataplane.envoy.conditions import route_match
from localcloud.dataplane.envoy.model import Listener as ServedListener
from localcloud.dataplane.envoy.model import UnsupportedError
from localcloud.dataplane.envoy.routes import route_action
from localcloud.services.elbv2 import attributes, translate
from localcloud.services.elbv2.balancing import Balancing
from localcloud.settings import served_port

_HIGHEST_WEIGHT = 999
_MOST_GROUPS = 5
_SAMPLE = ServedListener("sample", "", 80, 10080, ())


class Validation:
    """The hooks that run before an operation."""

    def __init__(self, cloud: Cloud, balancing: Balancing) -> None:
        self._cloud = cloud
        self._balancing = balancing

    def attach(self) -> None:
        """Hook into the operations."""
        for operation, hook in {
            "CreateLoadBalancer": self.create_load_balancer,
            "DeleteLoadBalancer": self.delete_load_balancer,
            "ModifyLoadBalancerAttributes": self.load_balancer_attributes,
            "SetIpAddressType": self.ip_address_type,
            "CreateTargetGroup": self.create_target_group,
            "ModifyTargetGroup": self.modify_target_group,
            "ModifyTargetGroupAttributes": self.target_group_attributes,
            "CreateListener": self.create_listener,
            "ModifyListener": self.modify_listener,
            "ModifyListenerAttributes": self.listener_attributes,
            "AddListenerCertificates": self.certificates,
            "CreateRule": self.create_rule,
            "ModifyRule": self.modify_rule,
            "DeleteRule": self.delete_rule,
        }.items():
            self._cloud.api.before("elbv2", operation, hook)

    # -- load balancers ------------------------------------------------------------------------

    def create_load_balancer(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html."""
        params = call.params
        if params.get("Type", "application") != "application":
            raise NotReproducedError("elbv2", f"{params['Type']} load balancers")
        self.ip_address_type(call)
        names = [balancer.name for balancer in self._backend(call).load_balancers.values()]
        if params["Name"] in names:
            raise AwsError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the name '{params['Name']}' already exists",
            )

    def ip_address_type(self, call: Call) -> None:
        """Loopback addresses are IPv4."""
        kind = call.params.get("IpAddressType") or "ipv4"
        if kind != "ipv4":
            raise NotReproducedError("elbv2", f"the IP address type {kind}")

    def delete_load_balancer(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#deletion-protection."""
        arn = call.params["LoadBalancerArn"]
        balancer = self._backend(call).load_balancers.get(arn)
        if balancer is not None and balancer.attrs.get("deletion_protection.enabled") == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )

    def load_balancer_attributes(self, call: Call) -> None:
        """Access logs need their bucket, as AWS checks by writing to it."""
        changes = call.params.get("Attributes", [])
        attributes.check(attributes.LOAD_BALANCER, changes)
        balancer = self._backend(call).load_balancers.get(call.params["LoadBalancerArn"])
        if balancer is None:
            return
        merged = {**balancer.attrs, **{entry["Key"]: entry.get("Value", "") for entry in changes}}
        if merged["access_logs.s3.enabled"] == "true":
            bucket = merged["access_logs.s3.bucket"]
            if bucket not in self._cloud.backend("s3").buckets:
                raise AwsError(
                    "InvalidConfigurationRequest",
                    f"Access Denied for bucket: {bucket}. Please check S3bucket permission",
                )

    # -- target groups -------------------------------------------------------------------------

    def create_target_group(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html."""
        params = call.params
        kind = params.get("TargetType") or "instance"
        if kind != "ip":
            raise NotReproducedError("elbv2", f"targets of type {kind}, only of type ip")
        protocol = params.get("Protocol")
        if protocol not in (None, "HTTP", "HTTPS"):
            raise NotReproducedError("elbv2", f"target groups of protocol {protocol}")
        if (params.get("ProtocolVersion") or "HTTP1") not in ("HTTP1", "HTTP2"):
            raise NotReproducedError("elbv2", f"protocol version {params['ProtocolVersion']}")
        if (params.get("IpAddressType") or "ipv4") != "ipv4":
            raise NotReproducedError("elbv2", "IPv6 targets")
        if (params.get("HealthCheckProtocol") or protocol) != protocol:
            raise NotReproducedError(
                "elbv2", "health checks by another protocol than the traffic's"
            )
        self._health_check(params)

    def modify_target_group(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html."""
        group = self._balancing.group(call.params["TargetGroupArn"])
        if (call.params.get("HealthCheckProtocol") or group.protocol) != group.protocol:
            raise NotReproducedError(
                "elbv2", "health checks by another protocol than the traffic's"
            )
        interval = call.params.get(
            "HealthCheckIntervalSeconds", group.health_check_interval_seconds
        )
        timeout = call.params.get("HealthCheckTimeoutSeconds", group.health_check_timeout_seconds)
        if int(timeout) >= int(interval):
            raise AwsError(
                "ValidationError",
                f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'",
            )
        self._health_check(call.params)

    @staticmethod
    def _health_check(params: Mapping[str, Any]) -> None:
        if params.get("HealthCheckEnabled") is False:
            raise AwsError(
                "ValidationError",
                "Health check enabled must be true for target groups with target type 'ip'",
            )
        for member, low, high in (
            ("HealthCheckIntervalSeconds", 5, 300),
            ("HealthCheckTimeoutSeconds", 2, 120),
            ("HealthyThresholdCount", 2, 10),
            ("UnhealthyThresholdCount", 2, 10),
        ):
            value = params.get(member)
            if value is not None and not low <= int(value) <= high:
                raise AwsError(
                    "ValidationError", f"{member} '{value}' must be between '{low}' and '{high}'"
                )
        matcher = params.get("Matcher", {})
        if "GrpcCode" in matcher:
            raise NotReproducedError("elbv2", "gRPC health checks")
        if "HttpCode" in matcher:
            try:
                ranges = matcher_ranges(matcher["HttpCode"])
            except ValueError as error:
                raise AwsError("ValidationError", f"Health check matcher: {error}") from error
            if any(not 200 <= first <= last <= 499 for first, last in ranges):
                raise AwsError(
                    "ValidationError",
                    f"Health check matcher HTTP code '{matcher['HttpCode']}' must be within "
                    "'200-499' inclusive",
                )

    @staticmethod
    def target_group_attributes(call: Call) -> None:
        """Known attributes with values that are reproduced."""
        attributes.check(attributes.TARGET_GROUP, call.params.get("Attributes", []))

    # -- listeners -----------------------------------------------------------------------------

    def create_listener(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html."""
        params = call.params
        balancer = self._backend(call).load_balancers.get(params["LoadBalancerArn"])
        if balancer is None:
            return  # moto says so
        self._port(balancer, params.get("Port"), None)
        self._listener(call, params.get("Protocol"), balancer.arn)
        if params.get("Protocol") == "HTTPS" and not params.get("Certificates"):
            raise AwsError("ValidationError", "A certificate must be specified for HTTPS listeners")

    def modify_listener(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html."""
        listener = self._listener_of(call.params["ListenerArn"])
        if listener is None:
            return
        balancer = self._backend(call).load_balancers[listener.load_balancer_arn]
        self._port(balancer, call.params.get("Port"), listener.arn)
        self._listener(call, call.params.get("Protocol", listener.protocol), balancer.arn)

    def _listener(self, call: Call, protocol: str | None, balancer_arn: str) -> None:
        params = call.params
        if params.get("MutualAuthentication", {}).get("Mode", "off") != "off":
            raise NotReproducedError("elbv2", "mutual TLS")
        policy = params.get("SslPolicy")
        if policy is not None and policy not in SSL_POLICIES:
            raise AwsError("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
        if protocol == "HTTPS":
            self.certificates(call)
        if len(params.get("Certificates", [])) > 1:
            raise AwsError("ValidationError", "Only one certificate may be specified here")
        if params.get("DefaultActions"):
            self._actions(params["DefaultActions"], balancer_arn)

    def _port(self, balancer: Any, port: int | None, own: str | None) -> None:
        if port is None:
            return
        for listener in balancer.listeners.values():
            if listener.arn == own:
                continue
            if int(listener.port) == port:
                raise AwsError(
                    "DuplicateListener",
                    f"A listener already exists on this port for this load balancer '{balancer.arn}'",
                )
            if served_port(int(listener.port)) == served_port(port):
                raise NotReproducedError(
                    "elbv2", f"the ports {listener.port} and {port} side by side"
                )

    def certificates(self, call: Call) -> None:
        """A listener serves certificates of ACM that are issued."""
        for entry in call.params.get("Certificates", []):
            arn = entry["CertificateArn"]
            if ":iam:" in arn:
                raise NotReproducedError("elbv2", "certificates of IAM")
            try:
                certificate = self._cloud.parts["acm"].find(arn)
            except AwsError as error:
                raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found") from error
            if certificate.status != "ISSUED":
                raise AwsError(
                    "UnsupportedCertificate",
                    f"The certificate '{arn}' must have a fully-qualified domain name, a supported "
                    f"signature, and a supported key size; its status is {certificate.status}.",
                )

    @staticmethod
    def listener_attributes(call: Call) -> None:
        """Known attributes with values that are reproduced."""
        attributes.check(attributes.LISTENER, call.params.get("Attributes", []))

    # -- rules ---------------------------------------------------------------------------------

    def create_rule(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html."""
        listener = self._listener_of(call.params["ListenerArn"])
        if listener is None:
            return
        if not 1 <= int(call.params["Priority"]) <= 50000:
            raise AwsError("ValidationError", "Rule priority must be between 1 and 50000")
        self._rule(call, listener.load_balancer_arn)

    def modify_rule(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyRule.html."""
        rule = self._balancing.rule(call.params["RuleArn"])
        if rule.is_default:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
        listener = self._listener_of(rule.listener_arn)
        self._rule(call, listener.load_balancer_arn)

    def delete_rule(self, call: Call) -> None:
        """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteRule.html."""
        if self._balancing.rule(call.params["RuleArn"]).is_default:
            raise AwsError(
                "OperationNotPermitted",
                f"Default rule '{call.params['RuleArn']}' cannot be deleted",
            )

    def _rule(self, call: Call, balancer_arn: str) -> None:
        if call.params.get("Transforms"):
            raise NotReproducedError("elbv2", "rule transforms")
        if call.params.get("Actions"):
            self._actions(call.params["Actions"], balancer_arn)
        if call.params.get("Conditions"):
            try:
                route_match(translate.rule(1, call.params["Conditions"], [{"Type": "forward"}]))
            except UnsupportedError as error:
                raise NotReproducedError("elbv2", str(error)) from error
            except ValueError as error:
                raise AwsError("ValidationError", f"Rule condition: {error}") from error

    def _actions(self, actions: list[Mapping[str, Any]], balancer_arn: str) -> None:
        if len(actions) != 1:
            raise NotReproducedError("elbv2", "rules with several actions")
        _forward(actions[0])
        groups = translate.forward_weights(actions[0])
        for arn in groups:
            try:
                self._balancing.group(arn)
            except AwsError:
                continue  # moto says so
            self._association(arn, balancer_arn)
        try:
            route_action(translate.action(actions), _SAMPLE)
        except UnsupportedError as error:
            raise NotReproducedError("elbv2", str(error)) from error
        except ValueError as error:
            raise AwsError("ValidationError", f"Rule action: {error}") from error

    def _association(self, arn: str, balancer_arn: str) -> None:
        if any(user != balancer_arn for user in self._balancing.users_of_group(arn)):
            raise AwsError(
                "TargetGroupAssociationLimit",
                "The following target groups cannot be associated with more than one load "
                f"balancer: {arn}",
            )

    # -- what moto keeps -----------------------------------------------------------------------

    def _backend(self, call: Call) -> Any:
        return self._cloud.backend("elbv2", call.region)

    def _listener_of(self, arn: str) -> Any:
        return next((entry for entry in self._balancing.listeners() if entry.arn == arn), None)


def _forward(action: Mapping[str, Any]) -> None:
    """The bounds of a forward action."""
    if action.get("Type") != "forward":
        return
    groups: Iterable[Mapping[str, Any]] = action.get("ForwardConfig", {}).get("TargetGroups", [])
    listed = list(groups)
    if not listed and not action.get("TargetGroupArn"):
        raise AwsError("ValidationError", "A target group ARN must be specified")
    if len(listed) > _MOST_GROUPS:
        raise AwsError(
            "TooManyTargetGroups", f"An action can forward to at most {_MOST_GROUPS} target groups"
        )
    for group in listed:
        if not 0 <= int(group.get("Weight", 1)) <= _HIGHEST_WEIGHT:
            raise AwsError(
                "ValidationError",
                f"Target group weight must be between 0 and {_HIGHEST_WEIGHT} inclusive",
            )
