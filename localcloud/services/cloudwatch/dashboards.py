"""Dashboards: moto keeps them; their body is validated first.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.services.cloudwatch.validation import SERVICE

COLUMNS = 24
MOST_WIDGETS = 500
# Each type's members without which it has nothing to show.
_REQUIRED: dict[str, tuple[str, ...]] = {
    "metric": ("region",),
    "text": ("markdown",),
    "log": ("query", "region"),
    "alarm": ("alarms",),
    "explorer": ("metrics", "labels"),
    "custom": ("endpoint",),
}


def check_dashboard(call: Call) -> None:
    """Before PutDashboard. Raises InvalidParameterInput, as AWS does, for a body with errors."""
    if call.params.get("Tags"):
        raise NotReproducedError(SERVICE, "tags of dashboards")
    errors = errors_of(call.params["DashboardBody"])
    if errors:
        raise AwsError(
            "InvalidParameterInput",
            f"The dashboard body is invalid, there are {len(errors)} validation errors: "
            + "; ".join(errors),
        )


def errors_of(body: str) -> list[str]:
    """What is wrong with a dashboard's body; empty when nothing is."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return ["it is not JSON"]
    widgets = parsed.get("widgets") if isinstance(parsed, dict) else None
    if not isinstance(widgets, list):
        return ['/: it must be an object with "widgets"']
    if len(widgets) > MOST_WIDGETS:
        return [f"/widgets: more than {MOST_WIDGETS}"]
    return [
        f"/widgets/{index}{error}"
        for index, widget in enumerate(widgets)
        for error in _errors_of_widget(widget)
    ]


def _errors_of_widget(widget: Any) -> list[str]:
    if not isinstance(widget, dict) or widget.get("type") not in _REQUIRED:
        return [f"/type: must be one of {', '.join(sorted(_REQUIRED))}"]
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        return ["/properties: must be an object"]
    errors = [
        f"/properties/{name}: is required"
        for name in _REQUIRED[widget["type"]]
        if name not in properties
    ]
    x, width, height = widget.get("x", 0), widget.get("width", 6), widget.get("height", 6)
    if not (0 <= x < COLUMNS and 1 <= width <= COLUMNS and 1 <= height <= 1000):
        errors.append(f"/x, /width, /height: outside of {COLUMNS} columns and 1000 rows")
    if widget["type"] == "metric":
        errors += _errors_of_metrics(properties)
    return errors


def _errors_of_metrics(properties: dict[str, Any]) -> list[str]:
    if "metrics" not in properties and "annotations" not in properties:
        return ["/properties/metrics: metrics or annotations are required"]
    errors = []
    for index, line in enumerate(properties.get("metrics", [])):
        where = f"/properties/metrics/{index}"
        if not isinstance(line, list) or not line:
            errors.append(f"{where}: must be a list")
            continue
        options = line[-1] if isinstance(line[-1], dict) else {}
        names = line[:-1] if options else line
        if "expression" in options:
            if names:
                errors.append(f"{where}: an expression has no metric")
        elif len(names) < 2 or len(names) % 2 or not all(isinstance(n, str) for n in names):
            errors.append(f"{where}: must be namespace, name and pairs of a dimension")
    return errors
