"""AWS Backup, wholly ours: what a configuration says is kept, checked and described.

Vaults with policy, lock and notifications, plans, selections, restore testing plans and tags are
reproduced, in every region. No job runs here: schedules start nothing, so vaults hold no recovery
points and the lists of jobs are empty, and starting a job is refused. The instances' own backups
are real (the RDS service takes them).

https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Reference.html
"""

from __future__ import annotations

from typing import Any

from botocore import xform_name
from moto.core.utils import get_service_model
from moto.kms.utils import RESERVED_ALIASES

from localcloud.api import Call, Handler, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.backup.nothing_run import NothingRunApi
from localcloud.services.backup.plans import PlanApi
from localcloud.services.backup.restore_testing import RestoreTestingApi
from localcloud.services.backup.state import State
from localcloud.services.backup.vaults import AWS_KEY, VaultApi


def _refusal(operation: str) -> Handler:
    def refuse(_: Call) -> None:
        raise NotReproducedError("AWS Backup", operation)

    return refuse


def register(cloud: Cloud) -> None:
    """Put AWS Backup into a cloud."""
    # moto makes AWS's own keys when their alias is asked for, and has not heard of this one.
    if AWS_KEY not in RESERVED_ALIASES:
        RESERVED_ALIASES.append(AWS_KEY)
    state = State(cloud)
    parts: list[Any] = [
        VaultApi(state),
        PlanApi(state),
        RestoreTestingApi(state),
        NothingRunApi(state),
    ]
    for operation in get_service_model("backup").operation_names:
        methods = [getattr(part, xform_name(operation), None) for part in parts]
        ours = next((method for method in methods if method is not None), None)
        cloud.api.replace("backup", operation, ours or _refusal(operation))
