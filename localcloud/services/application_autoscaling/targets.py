"""Scalable targets: what is refused, and what registering one does to the service at once.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
"""

from __future__ import annotations

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.application_autoscaling.policies import Policies
from localcloud.services.application_autoscaling.scaler import DIMENSION, Scaler
from localcloud.services.application_autoscaling.tags import SERVICE


class Targets:
    """Stands around moto's operations on scalable targets."""

    def __init__(self, cloud: Cloud, scaler: Scaler, policies: Policies) -> None:
        self._cloud = cloud
        self._scaler = scaler
        self._policies = policies

    def check(self, call: Call) -> None:
        """Before RegisterScalableTarget.

        :raises AwsError: ValidationException for bounds that make no sense.
        :raises NotReproducedError: anything but an ECS service's desired count.
        """
        params = call.params
        if params["ServiceNamespace"] != "ecs" or params["ScalableDimension"] != DIMENSION:
            raise NotReproducedError(SERVICE, f"targets of {params['ServiceNamespace']}")
        known = self._scaler.target(params["ResourceId"])
        least = params.get("MinCapacity", known.min_capacity if known else None)
        most = params.get("MaxCapacity", known.max_capacity if known else None)
        if least is None or most is None:
            raise AwsError("ValidationException", "Both minimum and maximum capacity are required.")
        if least > most:
            raise AwsError(
                "ValidationException", "Maximum capacity cannot be less than minimum capacity"
            )

    def registered(self, call: Call) -> None:
        """After RegisterScalableTarget: the desired count is brought inside the bounds."""
        self._scaler.comply(call.params["ResourceId"])

    def deregistered(self, call: Call) -> None:
        """After DeregisterScalableTarget: its policies go with it, and their alarms.

        https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
        """
        self._policies.forget(call.params["ResourceId"])
