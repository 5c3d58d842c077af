#!/usr/bin/python
"""Say what an environment is and does: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_status
short_description: Say what an environment is and does
version_added: "0.1.0"
description:
  - >-
    Reads what serves, what is under way, the health of the targets, the alarms, when Terraform last
    found nothing to do, and what the deployed resources are estimated to cost.
  - Only reads. A part that cannot be read is told in its place.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: The same, for it only reads.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment: [lyo]
options:
  env:
    description: Name of the environment.
    type: str
    required: true
  outputs_parameter:
    description: Parameter with Terraform's outputs. By default C(/lyo/<env>/outputs).
    type: str
  alarm_prefix:
    description: What the names of the environment's alarms begin with.
    type: str
    required: true
  infra:
    description: Where Terraform's state is, and how long an empty plan counts.
    type: dict
    required: true
    suboptions:
      paths:
        description: Files and folders that a plan depends on.
        type: list
        elements: path
        required: true
      variables:
        description: Values of variables that a plan is given besides, not secret.
        type: dict
        default: {}
      bucket:
        description: Bucket of the state.
        type: str
        required: true
      state_key:
        description: Key of the state.
        type: str
        default: lyo.tfstate
      marker_key:
        description: Key of the note of the last empty plan.
        type: str
        default: lyo.plan.json
      lock_key:
        description: Key of the environment's lock.
        type: str
        default: lyo.lock.json
      ledger_prefix:
        description: Folder of the ledger.
        type: str
        default: ledger/
      drills_prefix:
        description: Folder of what came of the last drill.
        type: str
        default: drills/
      max_age_hours:
        description: Hours after which an empty plan no longer counts.
        type: int
        default: 24
  cost:
    description: How the cost is estimated.
    type: dict
    required: true
    suboptions:
      tables:
        description: Folder of prices, assumptions and budget.
        type: path
        required: true
      usage:
        description: Assumptions that differ, name to value.
        type: dict
        default: {}
  backups:
    description: Where the logical backups are, and how old the last may be.
    type: dict
    default: {}
    suboptions:
      prefix:
        description: What their keys begin with.
        type: str
        default: logical/
      max_age_hours:
        description: Hours after which the last one is too old.
        type: int
        default: 26
  plan:
    description: >-
      What the module C(release_plan) has returned, for what a deploy would do. By default that is not
      told.
    type: dict
    default: {}
  runs:
    description: How many of the last runs are shown.
    type: int
    default: 5
  width:
    description: Columns that RV(text) may take.
    type: int
    default: 78
"""

EXAMPLES = r"""
- name: Status
  environment_status:
    aws: "{{ lyo_aws }}"
    env: production
    alarm_prefix: lyo-production
    infra:
      paths: [terraform]
      bucket: lyo-production-123456789012-tfstate
    cost:
      tables: prices
  register: status
"""

RETURN = r"""
status:
  description: >-
    The answers by section, as C(release), C(deployment), C(pending), C(tasks), C(scaling),
    C(targets), C(alarms), C(infrastructure), C(backup), C(cost), C(lock), C(recovery) and C(runs); each
    has C(well).
  returned: success
  type: dict
well:
  description: Whether release, targets and alarms are well.
  returned: success
  type: bool
text:
  description: The status for a terminal, a line an element. C(!) marks what somebody should look at.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "outputs_parameter": {"type": "str"},
            "alarm_prefix": {"type": "str", "required": True},
            "infra": {
                "type": "dict",
                "required": True,
                "options": {
                    "paths": {"type": "list", "elements": "path", "required": True},
                    "variables": {"type": "dict", "default": {}},
                    "bucket": {"type": "str", "required": True},
                    # Names, not secrets.
                    "state_key": {"type": "str", "default": "lyo.tfstate", "no_log": False},
                    "marker_key": {"type": "str", "default": "lyo.plan.json", "no_log": False},
                    "lock_key": {"type": "str", "default": "lyo.lock.json", "no_log": False},
                    "ledger_prefix": {"type": "str", "default": "ledger/"},
                    "drills_prefix": {"type": "str", "default": "drills/"},
                    "max_age_hours": {"type": "int", "default": 24},
                },
            },
            "cost": {
                "type": "dict",
                "required": True,
                "options": {
                    "tables": {"type": "path", "required": True},
                    "usage": {"type": "dict", "default": {}},
                },
            },
            "backups": {
                "type": "dict",
                "default": {},
                "options": {
                    "prefix": {"type": "str", "default": "logical/"},
                    "max_age_hours": {"type": "int", "default": 26},
                },
            },
            "plan": {"type": "dict", "default": {}},
            "runs": {"type": "int", "default": 5},
            "width": {"type": "int", "default": 78},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_status.run import run

    run(module)


if __name__ == "__main__":
    main()
