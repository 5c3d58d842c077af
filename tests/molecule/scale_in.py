"""`python -m tests.molecule.scale_in STATE suspend|resume`: little load is always a reason to scale in."""

from __future__ import annotations

import sys
from pathlib import Path

from localcloud import lifecycle, outside


def main(state: str, verb: str) -> None:
    """Let policies of the service scale in, or not."""
    cloud = lifecycle.require_running(Path(state))
    place = outside.outputs(cloud)
    outside.client(cloud, "application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{place['cluster_name']}/{place['service_name']}",
        ScalableDimension="ecs:service:DesiredCount",
        SuspendedState={"DynamicScalingInSuspended": {"suspend": True, "resume": False}[verb]},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
