"""A configuration as Envoy's discovery files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.dataplane.envoy.clusters import cluster, endpoints
from localcloud.dataplane.envoy.listeners import listener_resource, secret
from localcloud.dataplane.envoy.model import Configuration
from localcloud.dataplane.envoy.routes import route_configuration

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Folder:
    """Where the files of one Envoy are."""

    root: Path

    @property
    def clusters(self) -> Path:
        """CDS: all clusters."""
        return self.root / "clusters.json"

    @property
    def listeners(self) -> Path:
        """LDS: all listeners."""
        return self.root / "listeners.json"

    def endpoints(self, group: str) -> Path:
        """EDS of one target group."""
        return self.root / "endpoints" / f"{group}.json"

    def routes(self, listener: str) -> Path:
        """RDS of one listener."""
        return self.root / "routes" / f"{listener}.json"

    def secret(self, certificate: str) -> Path:
        """SDS of one certificate, with its key."""
        return self.root / "secrets" / f"{certificate}.json"

    @property
    def access_log(self) -> Path:
        """What Envoy writes for each request."""
        return self.root / "access.jsonl"

    @property
    def health_log(self) -> Path:
        """What Envoy writes for each failed health check."""
        return self.root / "health.jsonl"

    @property
    def admin(self) -> Path:
        """The admin socket."""
        return self.root / "admin.sock"


@dataclass
class Resources:
    """The content of each discovery file: lists of resources."""

    endpoints: dict[str, JsonObject]
    clusters: list[JsonObject]
    secrets: dict[str, JsonObject]
    routes: dict[str, JsonObject]
    listeners: list[JsonObject]


def render(configuration: Configuration, folder: Folder, speed: float) -> Resources:
    """Every resource of a configuration. Raises UnsupportedError for what is not reproduced."""
    groups = configuration.used_groups()
    certificates = configuration.used_certificates()
    secrets = {name: folder.secret(name) for name in certificates}
    pairs = [
        (balancer, listener)
        for balancer in configuration.load_balancers
        for listener in balancer.listeners
    ]
    return Resources(
        endpoints={name: endpoints(group) for name, group in sorted(groups.items())},
        clusters=[
            cluster(group, speed, folder.endpoints(name), folder.health_log)
            for name, group in sorted(groups.items())
        ],
        secrets={name: secret(entry) for name, entry in sorted(certificates.items())},
        routes={
            listener.id: route_configuration(balancer, listener) for balancer, listener in pairs
        },
        listeners=[
            listener_resource(
                balancer,
                listener,
                routes=folder.routes(listener.id),
                access_log=folder.access_log,
                secrets=secrets,
            )
            for balancer, listener in pairs
        ],
    )


def bootstrap(folder: Folder, node: str) -> JsonObject:
    """Envoy's own configuration: where the discovery files are, and its admin socket.

    The socket's path is relative to the working directory: an absolute one may exceed the 107
    characters of a Unix socket's name.
    """
    return {
        "node": {"id": node, "cluster": node},
        "admin": {"address": {"pipe": {"path": folder.admin.name, "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(folder.clusters)},
            },
            "lds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(folder.listeners)},
            },
        },
    }
