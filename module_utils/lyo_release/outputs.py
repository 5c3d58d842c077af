"""Terraform's outputs, as it has published them in SSM."""

from __future__ import annotations

import json
from typing import Any

from ..lyo_aws import Aws, AwsFailure


def read_outputs(aws: Aws, name: str) -> dict[str, Any]:
    """Return Terraform's outputs, empty before it has written them.

    :raises AwsFailure: they cannot be read, or are not what they should be.
    """
    try:
        answer = aws.call("ssm", "get_parameter", Name=name)
        outputs: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
    except AwsFailure as failure:
        if failure.code == "ParameterNotFound":
            return {}
        raise
    except ValueError:
        raise AwsFailure("Outputs", f"the parameter {name} is not JSON: run Terraform") from None
    return outputs
