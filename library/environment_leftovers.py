#!/usr/bin/python
"""What is left of an environment: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_leftovers
short_description: Say what is left of an environment that was taken down
version_added: "0.1.0"
description:
  - >-
    Deletes what releases have made and Terraform does not know (task definitions, the log group of
    Container Insights), then looks for anything else by the environment's tags and by list calls,
    and fails with what it finds.
  - >-
    What stays on purpose, as final snapshots and recovery points, is named with the command that
    removes it.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Deletes nothing.
    support: full
  diff_mode:
    description: Says what it deleted, no differences.
    support: none
extends_documentation_fragment: [lyo]
options:
  env:
    description: Name of the environment, its resources' tag C(Environment).
    type: str
    required: true
  name:
    description: What the names of the environment's resources begin with.
    type: str
    required: true
  regions:
    description: Regions to look in besides O(aws.region) and us-east-1.
    type: list
    elements: str
    default: []
  state_bucket:
    description: Bucket of the Terraform state, which stays.
    type: str
    required: true
  timeout:
    description: Seconds to wait for what AWS shows a while after it was deleted.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Nothing is left
  environment_leftovers:
    aws: "{{ lyo_aws }}"
    env: staging
    name: lyo-staging
    state_bucket: lyo-staging-123456789012-tfstate
"""

RETURN = r"""
removed:
  description: What releases had made and was deleted.
  returned: always
  type: list
  elements: str
kept:
  description: What stays on purpose, as C(what), C(why) and C(remove).
  returned: always
  type: list
  elements: dict
verdict:
  description: V(FAILED).
  returned: failure
  type: str
reasons:
  description: What is left, an ARN or a name each.
  returned: failure
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
            "name": {"type": "str", "required": True},
            "regions": {"type": "list", "elements": "str", "default": []},
            "state_bucket": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_leftovers.run import run

    run(module)


if __name__ == "__main__":
    main()
