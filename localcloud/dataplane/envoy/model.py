"""What the load balancers serve, in the terms of Elastic Load Balancing but without its API.

Times are cloud seconds unless a name says otherwise. Identifiers (`id`) become file and statistics
names, so they are made of letters, digits, `-` and `_`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class UnsupportedError(ValueError):
    """Something the data plane does not reproduce; the message names it."""


@dataclass(frozen=True)
class Target:
    """One target: an address of 127.0.0.0/8, its port, and whether it is being deregistered."""

    ip: str
    port: int
    draining: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What tells targets of one group apart."""
        return self.ip, self.port


@dataclass(frozen=True)
class HealthCheck:
    """Health check settings of a target group.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html

    port: None for `traffic-port`. matcher: `200`, `200,202` or `200-299`.
    """

    path: str = "/"
    port: int | None = None
    interval: float = 30
    timeout: float = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"


@dataclass(frozen=True)
class TargetGroup:
    """A target group.

    tls: the targets are spoken to by HTTPS, and their certificate is not checked, as an ALB does.
    http2: protocol version HTTP2. slow_start: seconds, 0 for none.
    """

    id: str
    arn: str
    health_check: HealthCheck = HealthCheck()
    targets: tuple[Target, ...] = ()
    tls: bool = False
    http2: bool = False
    least_outstanding_requests: bool = False
    slow_start: float = 0

    @property
    def served(self) -> tuple[Target, ...]:
        """The targets Envoy is told of.

        Draining ones only beside others: a group that has nothing else left must answer 503, and
        Envoy's fail-open would send requests to them.
        """
        if all(target.draining for target in self.targets):
            return ()
        return self.targets


@dataclass(frozen=True)
class Forward:
    """Forward to target groups by weight: (id of the target group, weight 0 to 999)."""

    weights: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Redirect:
    """Redirect; `#{protocol}`, `#{host}`, `#{port}`, `#{path}`, `#{query}` stand for the request's.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html
    """

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True)
class FixedResponse:
    """Answer without asking a target."""

    status: int
    content_type: str = "text/plain"
    body: str = ""


Action = Forward | Redirect | FixedResponse


@dataclass(frozen=True)
class Condition:
    """One condition of a rule; it holds when any of its values matches.

    field: `path-pattern`, `host-header`, `http-header`, `http-request-method`, `query-string` or
    `source-ip`. name: the header's name. pairs: query string (key or None, value).
    """

    field: str
    values: tuple[str, ...] = ()
    name: str = ""
    pairs: tuple[tuple[str | None, str], ...] = ()


@dataclass(frozen=True)
class Rule:
    """A listener rule; conditions are joined by and. priority None: the listener's default."""

    action: Action
    priority: int | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def matched_priority(self) -> int:
        """Priority as the access log writes it: 0 for the default rule."""
        return self.priority or 0


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, PEM. domains: its names, for the access log.

    The chain follows the certificate in `certificate`.
    """

    id: str
    arn: str
    certificate: str
    private_key: str = field(repr=False)
    domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listener:
    """A listener.

    port: as in the API, told to the targets; served_port: where Envoy really listens.
    certificates: ids, the default one first; none means HTTP. tls_versions: (lowest, highest),
    such as `("1.2", "1.3")`.
    """

    id: str
    arn: str
    port: int
    served_port: int
    rules: tuple[Rule, ...]
    certificates: tuple[str, ...] = ()
    tls_versions: tuple[str, str] = ("1.2", "1.3")
    server_header: bool = True

    @property
    def secure(self) -> bool:
        """Whether it is an HTTPS listener."""
        return bool(self.certificates)


@dataclass(frozen=True)
class LoadBalancer:
    """An Application Load Balancer at one address.

    name: as the access log writes it, `app/<name>/<id>`. idle_timeout and client_keep_alive are
    wall seconds: requests are answered in real time, so their time-outs are not scaled.
    forwarded_for: `append`, `preserve` or `remove`. drop_invalid_headers: drop header fields whose
    names have other characters than letters, digits and hyphens.
    """

    id: str
    arn: str
    name: str
    address: str
    listeners: tuple[Listener, ...] = ()
    idle_timeout: float = 60
    client_keep_alive: float = 3600
    http2: bool = True
    forwarded_for: str = "append"
    drop_invalid_headers: bool = False


@dataclass(frozen=True)
class Configuration:
    """Everything one Envoy serves."""

    load_balancers: tuple[LoadBalancer, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    certificates: tuple[Certificate, ...] = ()

    def used_groups(self) -> dict[str, TargetGroup]:
        """The target groups a rule names, by id; the others are not checked, as on AWS."""
        named = {
            group
            for balancer in self.load_balancers
            for listener in balancer.listeners
            for rule in listener.rules
            if isinstance(rule.action, Forward)
            for group, _ in rule.action.weights
        }
        return {group.id: group for group in self.target_groups if group.id in named}

    def used_certificates(self) -> dict[str, Certificate]:
        """The certificates a listener names, by id."""
        named = {
            certificate
            for balancer in self.load_balancers
            for listener in balancer.listeners
            for certificate in listener.certificates
        }
        return {entry.id: entry for entry in self.certificates if entry.id in named}
