"""Elastic Load Balancing: moto's control plane, in front of a data plane that serves.

moto keeps the resources; `validation` refuses what AWS refuses or Envoy is not told to do,
`translate` turns the resources into the data plane's terms, `targets` keeps the targets (by address
and port, which moto does not), and `balancing` brings the data plane up to date after each change.
"""

from __future__ import annotations

from localcloud.cloud import Cloud
from localcloud.services.elbv2.balancing import Balancing
from localcloud.services.elbv2.metrics import TrafficMetrics
from localcloud.services.elbv2.operations import Operations
from localcloud.services.elbv2.validation import Validation


def register(cloud: Cloud) -> None:
    """Start the data plane and offer it as `cloud.parts["elbv2"]` (ports.TargetGroups)."""
    balancing = Balancing(cloud)
    cloud.parts["elbv2"] = balancing
    cloud.on_stop(balancing.close)
    Validation(cloud, balancing).attach()
    Operations(cloud, balancing).attach()
    balancing.start()
    if "cloudwatch" in cloud.parts:  # tests start some parts alone
        cloud.parts["cloudwatch"].add_source(TrafficMetrics(balancing).report)
