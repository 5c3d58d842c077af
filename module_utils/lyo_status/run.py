"""The module ``environment_status``."""

from __future__ import annotations

from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from . import sections
from .facts import read


def run(module: Any) -> None:
    """Run the module."""
    params = module.params
    aws = Aws(params["aws"])
    edge = None if aws.region == EDGE else Aws({**params["aws"], "region": EDGE})
    Progress("status", aws.secrets)("read", "reading the live state")
    try:
        facts = read(aws, params, edge)
    except AwsFailure as error:
        module.fail_json(msg=str(error))
    found = sections.all_of(facts)
    module.exit_json(
        changed=False,
        status={section.name: {"well": section.well, **section.data} for section in found},
        well=all(section.well for section in found if section.name in VITAL),
        text=sections.text(facts, found, params["width"]),
    )


# Region of the alarms on Route 53 and CloudFront, wherever the environment is:
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html
EDGE = "us-east-1"
# What has to be well for the environment to serve; a plan that is due or a dear month is not among it.
VITAL = ("release", "targets", "alarms")
