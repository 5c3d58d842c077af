"""What a deploy would change, part by part, as unified diffs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_image import registry
from ..lyo_image.reference import parse
from ..lyo_preflight import platforms
from . import request
from .decide_deploy import desired_count
from .result import yaml_like
from .task_definition import image_of, summary

if TYPE_CHECKING:
    from .run_plan import Planner

CONTEXT_LINES = 3


def unified(name: str, before: Any, after: Any) -> list[str]:
    """Return the unified diff of two values, empty where they are equal."""
    return [
        line.rstrip("\n")
        for line in difflib.unified_diff(
            yaml_like(before).splitlines(),
            yaml_like(after).splitlines(),
            f"{name} (live)",
            f"{name} (wanted)",
            lineterm="",
            n=CONTEXT_LINES,
        )
    ]


def entry(name: str, before: Any, after: Any) -> dict[str, Any] | None:
    """Return the part of that name, None where nothing differs."""
    lines = unified(name, before, after)
    return {"name": name, "before": before, "after": after, "lines": lines} if lines else None


def image_facts(details: Mapping[str, Any] | None, labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells two images apart: digest, tags, size, when it was pushed, its labels.

    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    if not details:
        return {}
    pushed = details.get("imagePushedAt")
    return {
        "digest": details.get("imageDigest", ""),
        "tags": sorted(details.get("imageTags") or []),
        "megabytes": round(int(details.get("imageSizeInBytes", 0)) / 1e6, 1),
        "pushed": f"{pushed:%Y-%m-%d %H:%M}" if isinstance(pushed, datetime) else "",
        "labels": dict(sorted(labels.items())),
    }


def read_image(aws: Aws, image: str, ca_bundle: str | None) -> dict[str, Any]:
    """Return what is known of an image with digest; one that is gone is only its digest."""
    reference = parse(image)
    if not reference.digest:
        return {}
    details = registry.find(aws, reference)
    if details is None:
        return {"digest": reference.digest, "tags": [], "gone": True}
    try:
        configuration = platforms.configuration(aws, image, ca_bundle)
        labels = (configuration.get("config") or {}).get("Labels") or {}
    except (AwsFailure, ValueError):
        labels = {}  # digest and tags say enough
    return image_facts(details, labels)


def service_before(service: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a live service what an UpdateService would set, in the same form.

    What AWS adds by itself is no difference: only members that are asked for are compared.
    """
    found: dict[str, Any] = {}
    for name, value in after.items():
        live = service.get(name)
        if isinstance(value, Mapping):
            found[name] = service_before(live if isinstance(live, Mapping) else {}, value)
        elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
            entries = live if isinstance(live, list) else []
            found[name] = [
                service_before(item, value[min(index, len(value) - 1)])
                for index, item in enumerate(entries)
                if value
            ]
        else:
            found[name] = live
    return found


def of_service(
    outputs: Mapping[str, Any], deployment: Mapping[str, Any], service: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what differs in the service's configuration."""
    minimum = int(outputs["autoscaling"].get("min", 1))
    desired = desired_count(int(service.get("desiredCount", 0)), minimum)
    wanted = request.update_service(outputs, deployment, "", desired)
    after = {n: v for n, v in wanted.items() if n not in ("cluster", "service", "taskDefinition")}
    before = service_before(service, after)
    # ECS swaps the two target groups with each deployment: which is named first says nothing.
    return entry("service", _without_colours(before), _without_colours(after))


def _without_colours(content: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(json.dumps(content, default=str))
    for balancer in shown.get("loadBalancers") or []:
        advanced = balancer.get("advancedConfiguration") or {}
        pair = [balancer.pop("targetGroupArn", None), advanced.pop("alternateTargetGroupArn", None)]
        balancer["targetGroups"] = sorted(str(arn) for arn in pair if arn)
    return shown


def of_plan(planner: Planner, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts that a deploy would change.

    :param wanted: the wanted task definition.
    :raises AwsFailure: the images cannot be read.
    """
    state, params = planner.state, planner.params
    if not wanted or state.service is None:
        return [part for part in [entry("task definition", {}, summary(wanted))] if part]
    bundle = params["aws"].get("ca_bundle")
    live_image, image = image_of(state.live_definition), planner.image

    def reader(name: str) -> Callable[[], Any]:
        return lambda: read_image(planner.aws, name, bundle) if name else {}

    before, after = ({}, {})
    if live_image != image:
        before, after = parallel(reader(live_image), reader(image))
        after = after or {"tags": [planner.tag], "to be built": True}
    alarms = (planner.outputs.get("alarms") or {}).get("release") or []
    deployment = dict(params["deployment"])
    deployment["alarms"] = deployment.get("alarms") or alarms
    parts = [
        entry("task definition", summary(state.live_definition), summary(wanted)),
        entry("image", before, after),
        of_service(planner.outputs, deployment, state.service),
    ]
    return [part for part in parts if part]
