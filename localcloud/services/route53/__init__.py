"""Route 53: moto's zones with records, health checks and answers of our own.

Reproduced: simple, weighted and failover records, aliases to load balancers, distributions and
records of the zone, health checks that run, TestDNSAnswer. Refused: other routing policies, traffic
policies, health checks of other kinds. Nothing listens for DNS queries.
"""

from __future__ import annotations

from localcloud.cloud import Cloud
from localcloud.services.route53.query_logging import QueryLogging
from localcloud.services.route53.zones import Zones


def register(cloud: Cloud) -> None:
    """Put Route 53 in place."""
    zones = Zones(cloud)
    cloud.parts["route53"] = zones
    zones.attach()
    cloud.api.replace("route53", "CreateQueryLoggingConfig", QueryLogging(cloud).create)
