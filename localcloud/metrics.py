"""Figures that the local cloud itself puts into CloudWatch, as AWS's services do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


def publish(
    cloud: Cloud,
    region: str,
    namespace: str,
    figures: Mapping[str, tuple[float, str]],
    dimensions: Mapping[str, str],
) -> None:
    """Put figures, name → (value, unit), with the present's time stamp.

    The caller holds the cloud's lock.
    """
    if "cloudwatch" in cloud.parts:  # tests start some parts alone
        for name, (value, _) in figures.items():
            cloud.parts["cloudwatch"].measure(region, namespace, name, dimensions, [value])
    cloud.backend("cloudwatch", region).put_metric_data(
        namespace,
        [
            {
                "MetricName": name,
                "Value": value,
                "Unit": unit,
                "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            }
            for name, (value, unit) in figures.items()
        ],
    )
