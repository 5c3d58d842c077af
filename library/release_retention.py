#!/usr/bin/python
"""Remove task definitions and images that no rollback can need: documentation and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_retention
short_description: Remove task definitions and images that no rollback can need
version_added: "0.1.0"
description:
  - >-
    Deregisters old task definitions of the service and of its one-off tasks, and deletes old images of
    the repository.
  - >-
    What a service of the cluster runs or is being moved to stays, the last O(keep_releases) that served
    (by ECS and by the ledger), whatever is younger than O(keep_days), the newest of each family, and
    every image that an active task definition of the account uses, whose ever it is.
  - >-
    Never fails: what could not be removed is a warning, and the next release tries again. Where it cannot
    be known what is needed, nothing is removed. One run removes 50 of each at most.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would be removed, removes nothing.
    support: full
  diff_mode:
    description: Shows what is removed.
    support: full
extends_documentation_fragment: [lyo, lyo.outputs]
options:
  ledger:
    description: Where the runs are on record.
    type: dict
    required: true
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      prefix:
        description: Folder of the ledger in it.
        type: str
        default: ledger/
  keep_releases:
    description: How many releases that served stay, the live one included; 2 at least.
    type: int
    default: 10
  keep_days:
    description: Age in days below which nothing is removed.
    type: int
    default: 30
  one_off:
    description: Names of the one-off tasks, each of which has a family of its own.
    type: list
    elements: str
    default: [migrate]
"""

EXAMPLES = r"""
- name: Keep what a rollback may need
  release_retention:
    aws: "{{ lyo_aws }}"
    outputs: "{{ plan.outputs }}"
    ledger:
      bucket: lyo-production-123456789012-tfstate
    keep_releases: 20
    keep_days: 90
"""

RETURN = r"""
task_definitions:
  description: What was deregistered, or would be.
  returned: always
  type: list
  elements: str
  sample: ["v1 (lyo-production:3)"]
images:
  description: What was deleted, or would be, by its tags or digest.
  returned: always
  type: list
  elements: str
problems:
  description: What could not be removed, one line each, for people.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import ledger_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "outputs": {"type": "dict", "required": True},
            "ledger": {**ledger_spec(), "required": True},
            "keep_releases": {"type": "int", "default": 10},
            "keep_days": {"type": "int", "default": 30},
            "one_off": {"type": "list", "elements": "str", "default": ["migrate"]},
        },
        supports_check_mode=True,
    )
    if module.params["keep_releases"] < 2 or module.params["keep_days"] < 0:
        module.fail_json(
            msg="keep_releases must be 2 at least, the live release and the one to roll back to, "
            "and keep_days must not be negative"
        )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_release.run_retention import run

    run(module)


if __name__ == "__main__":
    main()
