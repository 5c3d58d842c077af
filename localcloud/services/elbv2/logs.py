"""Delivery of access logs to the bucket a load balancer names.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

from __future__ import annotations

import gzip
import logging
import secrets
from threading import Event
from typing import Any

from localcloud.api import Call
from localcloud.cloud import Cloud
from localcloud.services.elbv2 import translate
from localcloud.services.elbv2.balancing import Balancing

log = logging.getLogger("localcloud.elbv2")

# AWS publishes a file every five minutes; cloud seconds.
DELIVERY_SECONDS = 300.0


class AccessLogs:
    """Writes what the load balancers served into S3."""

    def __init__(self, cloud: Cloud, balancing: Balancing) -> None:
        self._cloud = cloud
        self._balancing = balancing

    def run(self, stop: Event) -> None:
        """Deliver every five minutes of cloud time, until `stop`."""
        while not self._cloud.clock.sleep(DELIVERY_SECONDS, stop):
            self.deliver()

    def attributes_changed(self, call: Call) -> None:
        """AWS proves that it may write by a test file, when access logs are enabled."""
        arn = call.params["LoadBalancerArn"]
        keys = {entry["Key"] for entry in call.params.get("Attributes", [])}
        for balancer in self._balancing.balancers():
            if (
                balancer.arn == arn
                and any(key.startswith("access_logs.s3.") for key in keys)
                and balancer.attrs["access_logs.s3.enabled"] == "true"
            ):
                self._put(balancer, "ELBAccessLogTestFile", b"Enable AccessLog for ELB.")

    def deliver(self) -> None:
        """Deliver what was written since the last time."""
        self._balancing.counters()
        with self._cloud.lock:
            for balancer in self._balancing.balancers():
                name = translate.identifier(balancer.arn)
                if balancer.attrs["access_logs.s3.enabled"] != "true":
                    self._balancing.traffic.limit(name)
                    continue
                content = self._balancing.traffic.take(name)
                if not content:
                    continue
                try:
                    self._put(balancer, self._name(balancer), gzip.compress(content))
                except Exception:
                    log.exception("the access log of %s could not be delivered", balancer.name)

    def _put(self, balancer: Any, name: str, content: bytes) -> None:
        prefix = balancer.attrs["access_logs.s3.prefix"]
        folder = f"{prefix}/AWSLogs" if prefix else "AWSLogs"
        key = f"{folder}/{self._cloud.settings.account_id}/{name}"
        self._cloud.backend("s3").put_object(balancer.attrs["access_logs.s3.bucket"], key, content)

    def _name(self, balancer: Any) -> str:
        now = self._cloud.clock.now()
        account, region = self._cloud.settings.account_id, balancer.arn.split(":")[3]
        identity = balancer.arn.split(":loadbalancer/", 1)[1].replace("/", ".")
        return (
            f"elasticloadbalancing/{region}/{now:%Y/%m/%d}/"
            f"{account}_elasticloadbalancing_{region}_{identity}_{now:%Y%m%dT%H%MZ}_"
            f"{self._balancing.address(balancer.arn)}_{secrets.token_hex(4)}.log.gz"
        )
