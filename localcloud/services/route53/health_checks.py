"""Health checks that run: probes of this cloud's own endpoints, and what is told of them.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover.html
"""

from __future__ import annotations

import ipaddress
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from localcloud import metrics
from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.dataplane import probe
from localcloud.services.route53 import checkers
from localcloud.services.route53.checkers import Checker, Observation

_TYPES = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
# Route 53 puts its metrics there: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html
METRICS_REGION = "us-east-1"
_NAMESPACE = "AWS/Route53"
_METRIC_SECONDS = 60.0
# However fast the cloud's clock is: each check is real work for the endpoint.
_LEAST_WALL_SECONDS = 1.0
_WORKERS = 8
_IDLE_SECONDS = 0.2
_CHANGEABLE = (
    "IPAddress",
    "Port",
    "ResourcePath",
    "FullyQualifiedDomainName",
    "SearchString",
    "FailureThreshold",
    "Inverted",
    "Disabled",
    "EnableSNI",
    "Regions",
)


@dataclass
class HealthCheck:
    """A health check with its checkers; due: monotonic wall time of each checker's next check."""

    id: str
    reference: str
    config: dict[str, Any]
    version: int = 1
    checkers: list[Checker] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    published: float = 0.0

    @property
    def healthy(self) -> bool:
        """Its status."""
        return checkers.healthy(
            self.checkers, disabled=self.config["Disabled"], inverted=self.config["Inverted"]
        )

    def begin(self, now: float, interval: float) -> None:
        """(Re)start the checkers, spread over an interval (wall seconds)."""
        regions = self.config.get("Regions") or list(checkers.REGIONS)
        self.checkers = [Checker(region) for region in regions]
        self.due = {
            region: now + interval * place / len(regions) for place, region in enumerate(regions)
        }


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with Route 53's defaults. Raises NotReproducedError, AwsError. Pure.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
    """
    kind = config["Type"]
    if kind not in _TYPES:
        raise NotReproducedError("route53", f"health checks of type {kind}")
    if not config.get("IPAddress") and not config.get("FullyQualifiedDomainName"):
        raise AwsError("InvalidInput", "Specify either an IPAddress or a FullyQualifiedDomainName.")
    if config.get("IPAddress") and not ipaddress.ip_address(config["IPAddress"]).is_loopback:
        raise NotReproducedError("route53", "health checks of addresses outside this cloud")
    if kind.endswith("STR_MATCH") != bool(config.get("SearchString")):
        raise AwsError(
            "InvalidInput", "A SearchString belongs to HTTP_STR_MATCH and HTTPS_STR_MATCH alone."
        )
    if config.get("RequestInterval", 30) not in (10, 30):
        raise AwsError("InvalidInput", "RequestInterval must be 10 or 30.")
    if not 1 <= config.get("FailureThreshold", 3) <= 10:
        raise AwsError("InvalidInput", "FailureThreshold must be from 1 to 10.")
    if config.get("Regions") and len(config["Regions"]) < 3:
        raise AwsError("InvalidInput", "Specify at least three Regions, or none.")
    if kind == "TCP" and not config.get("Port"):
        raise AwsError("InvalidInput", "A Port is needed for health checks of type TCP.")
    return {
        "Port": 443 if kind.startswith("HTTPS") else 80,
        "RequestInterval": 30,
        "FailureThreshold": 3,
        "MeasureLatency": False,
        "Inverted": False,
        "Disabled": False,
        "EnableSNI": kind.startswith("HTTPS"),
        **{name: value for name, value in config.items() if value is not None},
    }


class HealthChecks:
    """The operations, and the thread that checks.

    resolve: gives the IPv4 addresses of a name of this cloud, [] where there is none.
    """

    def __init__(self, cloud: Cloud, resolve: Callable[[str], list[str]]) -> None:
        self._cloud, self._resolve = cloud, resolve
        self._checks: dict[str, HealthCheck] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="route53-checker")

    def attach(self) -> None:
        """Answer the operations and begin to check."""
        for operation, handler in {
            "CreateHealthCheck": self.create,
            "GetHealthCheck": self.get,
            "GetHealthCheckCount": self.count,
            "GetHealthCheckStatus": self.status,
            "GetHealthCheckLastFailureReason": self.last_failure_reason,
            "ListHealthChecks": self.list_checks,
            "UpdateHealthCheck": self.update,
            "DeleteHealthCheck": self.delete,
        }.items():
            self._cloud.api.replace("route53", operation, handler)
        self._cloud.background("route53-health", self._run)
        self._cloud.on_stop(lambda: self._pool.shutdown(wait=False, cancel_futures=True))

    def healthy(self, identifier: str) -> bool:
        """The status of a health check.

        AWS does not say what a record is that names one that was deleted; here it is healthy.
        https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHealthCheck.html
        """
        check = self._checks.get(identifier)
        return check is None or check.healthy

    def exists(self, identifier: str) -> bool:
        """Whether there is such a health check."""
        return identifier in self._checks

    # The operations

    def create(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html"""
        config, reference = (
            complete(call.params["HealthCheckConfig"]),
            call.params["CallerReference"],
        )
        for known in self._checks.values():
            if known.reference == reference:
                if known.config != config:
                    raise AwsError(
                        "HealthCheckAlreadyExists",
                        "A health check with the same CallerReference and other settings exists.",
                        status=409,
                    )
                return self._created(known)
        check = HealthCheck(str(uuid.uuid4()), reference, config)
        check.begin(time.monotonic(), self._interval(check))
        self._checks[check.id] = check
        return self._created(check)

    def _created(self, check: HealthCheck) -> dict[str, Any]:
        return {
            "HealthCheck": _shown(check),
            "Location": f"https://route53.amazonaws.com/2013-04-01/healthcheck/{check.id}",
        }

    def _check(self, call: Call) -> HealthCheck:
        identifier = call.params["HealthCheckId"]
        if identifier not in self._checks:
            raise AwsError(
                "NoSuchHealthCheck", f"No health check exists with the ID {identifier}", status=404
            )
        return self._checks[identifier]

    def get(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheck.html"""
        return {"HealthCheck": _shown(self._check(call))}

    def count(self, _: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckCount.html"""
        return {"HealthCheckCount": len(self._checks)}

    def list_checks(self, _: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHealthChecks.html"""
        return {
            "HealthChecks": [_shown(check) for check in self._checks.values()],
            "Marker": "",
            "IsTruncated": False,
            "MaxItems": "1000",
        }

    def update(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_UpdateHealthCheck.html"""
        check, params = self._check(call), call.params
        if params.get("HealthCheckVersion") not in (None, check.version):
            raise AwsError(
                "HealthCheckVersionMismatch",
                "The value of HealthCheckVersion in the request doesn't match the value in the "
                "health check.",
                status=409,
            )
        changes = {name: params[name] for name in _CHANGEABLE if params.get(name) is not None}
        kept = dict(check.config)
        for name in params.get("ResetElements") or []:
            kept.pop(name, None)
        check.config = complete({**kept, **changes})
        check.version += 1
        check.begin(time.monotonic(), self._interval(check))
        return {"HealthCheck": _shown(check)}

    def delete(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHealthCheck.html"""
        del self._checks[self._check(call).id]
        return {}

    def status(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckStatus.html"""
        return self._observations(call, lambda checker: checker.last)

    def last_failure_reason(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckLastFailureReason.html"""
        return self._observations(call, lambda checker: checker.last_failure)

    def _observations(
        self, call: Call, which: Callable[[Checker], Observation | None]
    ) -> Mapping[str, Any]:
        return {
            "HealthCheckObservations": [
                {
                    "Region": checker.region,
                    "IPAddress": self._cloud.addresses.api,
                    "StatusReport": {"Status": seen.status, "CheckedTime": seen.time},
                }
                for checker in self._check(call).checkers
                if (seen := which(checker)) is not None
            ]
        }

    # The checks

    def _interval(self, check: HealthCheck) -> float:
        """Wall seconds between the checks of one checker."""
        return max(self._cloud.clock.wall(check.config["RequestInterval"]), _LEAST_WALL_SECONDS)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(_IDLE_SECONDS):
            with self._cloud.lock:
                now = time.monotonic()
                for check in list(self._checks.values()):
                    if not check.config["Disabled"]:
                        self._begin_due(check, now)
                    self._publish(check, now)

    def _begin_due(self, check: HealthCheck, now: float) -> None:
        interval = self._interval(check)
        for checker in check.checkers:
            if check.due[checker.region] > now or checker.region in check.busy:
                continue
            check.due[checker.region] = max(check.due[checker.region] + interval, now)
            check.busy.add(checker.region)
            future = self._pool.submit(_probe, check.config, self._address(check.config))
            future.add_done_callback(self._observed(check, checker))

    def _address(self, config: Mapping[str, Any]) -> str | None:
        """Where the endpoint is; only ever in this machine."""
        if config.get("IPAddress"):
            return str(config["IPAddress"])
        return next(iter(self._resolve(config["FullyQualifiedDomainName"])), None)

    def _observed(self, check: HealthCheck, checker: Checker) -> Callable[[Future[Any]], None]:
        def done(future: Future[Any]) -> None:
            if future.cancelled():
                return
            result = future.result()
            observation = Observation(
                result.ok,
                result.status,
                self._cloud.clock.now(),
                result.connection,
                result.handshake,
                result.first_byte,
            )
            with self._cloud.lock:
                check.busy.discard(checker.region)
                # An update has begun anew, with other checkers.
                if checker in check.checkers:
                    checker.observe(observation, check.config["FailureThreshold"])

        return done

    def _publish(self, check: HealthCheck, now: float) -> None:
        """Metrics, once a minute of the cloud's time from the first opinion on."""
        pause = max(self._cloud.clock.wall(_METRIC_SECONDS), _LEAST_WALL_SECONDS)
        share = checkers.percentage(check.checkers)
        if share is None or now - check.published < pause:
            return
        check.published = now
        figures = {"HealthCheckStatus": (float(check.healthy), "None")}
        if not check.config["Disabled"]:
            figures["HealthCheckPercentageHealthy"] = (share, "Percent")
        own = {"HealthCheckId": check.id}
        metrics.publish(self._cloud, METRICS_REGION, _NAMESPACE, figures, own)
        if check.config["MeasureLatency"]:
            for checker in check.checkers:
                if checker.last is not None and (latency := _latency(checker.last)):
                    metrics.publish(
                        self._cloud,
                        METRICS_REGION,
                        _NAMESPACE,
                        latency,
                        {**own, "Region": checker.region},
                    )


def _latency(seen: Observation) -> dict[str, tuple[float, str]]:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-check-latency.html"""
    times = {
        "ConnectionTime": seen.connection,
        "SSLHandshakeTime": seen.handshake,
        "TimeToFirstByte": seen.first_byte,
    }
    return {name: (value, "Milliseconds") for name, value in times.items() if value is not None}


def _probe(config: Mapping[str, Any], address: str | None) -> probe.Result:
    if address is None:
        return probe.Result(False, "Failure: DNS resolution failed")
    return probe.check(
        probe.Endpoint(
            config["Type"],
            address,
            config.get("FullyQualifiedDomainName") or address,
            config["Port"],
            config.get("ResourcePath") or "/",
            config.get("SearchString"),
            config["EnableSNI"],
        )
    )


def _shown(check: HealthCheck) -> dict[str, Any]:
    return {
        "Id": check.id,
        "CallerReference": check.reference,
        "HealthCheckConfig": check.config,
        "HealthCheckVersion": check.version,
    }
