#!/usr/bin/python
"""Turn back to the release that served before: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_rollback
short_description: Turn back to the release that served before
version_added: "0.1.0"
description:
  - >-
    While a deployment is in progress it is stopped with ROLLBACK, during bake a mere flip
    of weights.
  - >-
    Later the last revision that served successfully is deployed again, after checking that its task
    definition is active, that its image exists, and that the database's schema still serves it. What
    served is known from ECS (90 days) and from the ledger.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: full
extends_documentation_fragment: [lyo, lyo.smoke]
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  service:
    description: Name of the service.
    type: str
    required: true
  to:
    description: >-
      Release, image digest or task definition to go back to. By default the last one that served.
    type: str
  begin:
    description: >-
      Make only the deciding call, or find out that a former release has to be deployed; then return
      with RV(pending), so that the run can be locked and put on record before the rest.
    type: bool
    default: false
  watch:
    description: ARN of the deployment that this run has stopped, to be followed to its end.
    type: str
  ledger:
    description: Where the runs are on record.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      prefix:
        description: Folder of the ledger in it.
        type: str
        default: ledger/
  force_schema:
    description: >-
      Release, image digest or task definition that may run on a schema that was contracted since it was
      built. Naming another than the one that is deployed forces nothing.
    type: str
  base_url:
    description: >-
      Address that the paths of O(smoke) are below. By default C(test_url) of O(outputs_parameter); where
      neither is known there are no checks.
    type: str
  outputs_parameter:
    description: SSM parameter with Terraform's outputs.
    type: str
  max_failed_tasks:
    description: Turn back after this many tasks of the revision have failed.
    type: int
    default: 3
  healthy_timeout:
    description: Turn back when the revision is not healthy after this many seconds.
    type: int
    default: 900
  timeout:
    description: Stop watching after this many seconds; the deployment goes on.
    type: int
    default: 7200
"""

EXAMPLES = r"""
- name: Roll back
  ecs_rollback:
    aws: "{{ lyo_aws }}"
    cluster: lyo-production
    service: lyo-production
    ledger:
      bucket: lyo-production-123456789012-tfstate
"""

RETURN = r"""
verdict:
  description: V(ROLLED_BACK) is success here, else V(UNCHANGED), V(STILL_RUNNING) or V(FAILED).
  returned: always
  type: str
  sample: DEPLOYED
reasons:
  description: Why, one line each, for people.
  returned: always
  type: list
  elements: str
deployment:
  description: ARN of the service deployment that was followed, empty without one.
  returned: always
  type: str
task_definition:
  description: >-
    ARN of the task definition that serves, with RV(pending) or where only predicted the one that is to
    be deployed. Empty where there is none.
  returned: always
  type: str
service_revision:
  description: ARN of the service revision the deployment aimed at, empty without one.
  returned: always
  type: str
previous:
  description: What carried the traffic before, as C(task_definition), C(image) and C(release).
  returned: always
  type: dict
record:
  description: What the ledger keeps of it.
  returned: when a deployment was followed
  type: dict
stages:
  description: Lifecycle stages seen, each with the seconds spent in it.
  returned: always
  type: list
  elements: dict
  sample: [{stage: SCALE_UP, seconds: 41.2}]
pending:
  description: Whether O(begin) has left the rest to a second task.
  returned: success
  type: bool
method:
  description: >-
    V(stop) a deployment was stopped, V(deploy) a former revision was deployed, V(adopt) one
    was found doing it, V(none).
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import checks_spec, ledger_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "to": {"type": "str"},
            "begin": {"type": "bool", "default": False},
            "watch": {"type": "str"},
            "ledger": ledger_spec(),
            "force_schema": {"type": "str"},
            "smoke": checks_spec(),
            "base_url": {"type": "str"},
            "outputs_parameter": {"type": "str"},
            "max_failed_tasks": {"type": "int", "default": 3},
            "healthy_timeout": {"type": "int", "default": 900},
            "timeout": {"type": "int", "default": 7200},
        },
        mutually_exclusive=[["begin", "watch"]],
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_release.run_rollback import run

    run(module)


if __name__ == "__main__":
    main()
