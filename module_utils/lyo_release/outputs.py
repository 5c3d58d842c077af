"""What the runbooks know about the infrastructure: two parameters in SSM, read in one call."""

from __future__ import annotations

import json
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_restore import record


def read_outputs(aws: Aws, name: str) -> dict[str, Any]:
    """Return Terraform's outputs, with the database that serves; empty before it has written them.

    From a switch (restore.yml) until Terraform's next apply its outputs name the former database.

    :param name: of the parameter with Terraform's outputs; that of the database stands beside it.
    :raises AwsFailure: they cannot be read, or are not what they should be.
    """
    outputs, database = read_both(aws, name)
    return record.over(outputs, database)


def read_both(aws: Aws, name: str) -> tuple[dict[str, Any], record.Record | None]:
    """Return Terraform's outputs as they are, and which database serves; None before anybody says.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html

    :raises AwsFailure: as :func:`read_outputs`.
    """
    beside = record.name_of(name)
    answer = aws.call("ssm", "get_parameters", Names=[name, beside])
    values = {str(one["Name"]): str(one["Value"]) for one in answer.get("Parameters", [])}
    outputs: dict[str, Any] = {}
    try:
        outputs = json.loads(values.get(name, "{}"))
    except ValueError:
        raise AwsFailure("Outputs", f"the parameter {name} is not JSON: run Terraform") from None
    if beside not in values:
        return outputs, None
    try:
        return outputs, record.parse(values[beside])
    except ValueError as error:
        raise AwsFailure(
            "Outputs",
            f"the parameter {beside} cannot be used ({error}), so nobody knows which database serves; "
            f"aws ssm get-parameter-history --name {beside} has what it was before",
        ) from None
