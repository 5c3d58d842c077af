#!/usr/bin/python
"""Change the number of tasks for now: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_scale
short_description: Change the number of tasks for now
version_added: "0.1.0"
description:
  - >-
    Sets the service's desired count inside the bounds of its scalable target and waits until as many
    tasks run and are healthy. It lasts until Application Auto Scaling decides anew.
  - Refused outside of the bounds, which are Terraform's, and during a deployment.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows the number before and after.
    support: full
extends_documentation_fragment: [lyo, lyo.place]
options:
  tasks:
    description: How many tasks.
    type: int
    required: true
  begin:
    description: >-
      Return with RV(pending=true) where something is to be written, so that lock and record come
      first; the second call, without it, writes.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the tasks.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: More tasks for tonight
  ecs_scale:
    aws: "{{ lyo_aws }}"
    env: production
    tasks: 5
"""

RETURN = r"""
verdict:
  description: V(SCALED), V(UNCHANGED), V(STILL_RUNNING) or V(FAILED); V(PREDICTED) in check mode.
  returned: unless RV(pending)
  type: str
reasons:
  description: Why, one line each, for people.
  returned: always
  type: list
  elements: str
before:
  description: Desired count before.
  returned: when there is a service
  type: int
minimum:
  description: Lower bound of the scalable target, 0 without one.
  returned: when there is a service
  type: int
maximum:
  description: Upper bound of the scalable target, 0 without one.
  returned: when there is a service
  type: int
pending:
  description: Whether the call has still to be made.
  returned: when there is a service
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_operate.spec import place_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            **place_spec(),
            "tasks": {"type": "int", "required": True},
            "begin": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 900},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_operate.scale import run

    run(module)


if __name__ == "__main__":
    main()
