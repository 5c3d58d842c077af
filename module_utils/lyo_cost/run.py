"""The module ``cost_estimate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from . import report as reports
from . import sources
from .resources import Environment
from .tables import BadTableError


def run(module: Any) -> None:
    """Run the module."""
    params = module.params
    try:
        report = _report(params)
    except (AwsFailure, sources.SourceError, BadTableError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        report=report.as_dict(),
        text=reports.text(report, params["width"]),
        summary=reports.one_line(report),
        changed=_write(module, report),
    )


def _report(params: dict[str, Any]) -> reports.Report:
    environment = _environment(params)
    region = str(environment.outputs.get("region", ""))
    if not region:
        raise sources.SourceError(
            f"the {params['source']} of {params['env']} has no output runbooks with a region, "
            "so nobody knows whose prices to take"
        )
    return reports.make(
        Path(params["tables"]),
        environment,
        params["env"],
        region,
        params["source"],
        params["usage"],
    )


def _environment(params: dict[str, Any]) -> Environment:
    progress = Progress("cost", [])
    if params["source"] == "state":
        aws = Aws(params["aws"])
        progress("state", "reading the state")
        where = params["state"]
        return sources.state(aws, where["bucket"], where["key"], params["env"])
    progress("plan", "planning without AWS")
    how = params["plan"]
    return sources.plan(
        how["terraform"], Path(how["project_path"]), Path(how["var_file"]), Path(how["data_dir"])
    )


def _write(module: Any, report: reports.Report) -> bool:
    """Write the report as JSON where a file is named; return whether that changes it."""
    if not module.params["output_file"]:
        return False
    path = Path(module.params["output_file"])
    content = json.dumps(report.as_dict(), indent=2, sort_keys=True) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    if not module.check_mode:
        try:
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            module.fail_json(msg=f"{path} cannot be written: {error.strerror}")
    return True
