"""Where an environment's service is: Terraform's outputs, read and complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_release import live
from ..lyo_release.options import missing_outputs
from ..lyo_release.outputs import read_outputs


class NothingYetError(AwsFailure):
    """The environment has not been made, or not to its end; the message says how to."""

    def __init__(self, message: str) -> None:
        super().__init__("NothingYet", message)


def complete(outputs: Mapping[str, Any], env: str) -> None:
    """Make sure that the outputs are there and have what a release needs.

    :raises NothingYetError: they have not.
    """
    command = f"Type: ansible-playbook deploy.yml -e env={env}"
    if not outputs:
        raise NothingYetError(
            f"{env} has nothing yet: Terraform has published no outputs. {command}"
        )
    missing = missing_outputs(outputs)
    if missing:
        raise NothingYetError(
            f"{env} is not complete yet: Terraform's outputs lack {', '.join(missing)}. {command}"
        )


def parameter(params: Mapping[str, Any]) -> str:
    """Return the name of the parameter with the outputs, from a module's arguments."""
    return str(params.get("outputs_parameter") or f"/lyo/{params['env']}/outputs")


def read(aws: Aws, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return Terraform's outputs.

    :raises NothingYetError: there are none, or not all.
    :raises AwsFailure: they cannot be read.
    """
    outputs = read_outputs(aws, parameter(params))
    complete(outputs, params["env"])
    return outputs


def service(aws: Aws, outputs: Mapping[str, Any]) -> live.State:
    """Return the service with its deployment in progress.

    :raises AwsFailure: ``NoService``, there is none.
    """
    state = live.read(aws, outputs["cluster_name"], outputs["service_name"], "")
    if state.service is None:
        raise AwsFailure(
            "NoService",
            f"the service {outputs['service_name']} does not exist or is not active: "
            "deploy.yml makes it",
        )
    return state
