#!/usr/bin/python
"""Register what schedules start: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ops_task_definition
short_description: Register the task definition that schedules start
version_added: "0.1.0"
description:
  - >-
    Schedules name the family C(<task family>-ops) without a revision, so the newest one is what they
    start. Registers one for an ops image, unless the newest is the same.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: full
extends_documentation_fragment: [lyo, lyo.outputs, lyo.task]
options:
  image:
    description: The ops image, with digest.
    type: str
    required: true
  release:
    description: Its tag, kept as a label.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: What the schedules start
  ops_task_definition:
    aws: "{{ lyo_aws }}"
    outputs: "{{ lyo_plan.outputs }}"
    image: "{{ lyo_image.image }}"
    release: "{{ lyo_image.tag }}"
    task:
      cpu: "1024"
      memory: "2048"
      environment: {LYO_ENV: production}
"""

RETURN = r"""
family:
  description: Family of the definition.
  returned: always
  type: str
  sample: lyo-production-ops
task_definition:
  description: ARN of the newest definition, empty where one is only predicted.
  returned: always
  type: str
previous:
  description: ARN of the one that was the newest before, empty without one.
  returned: always
  type: str
verdict:
  description: V(FAILED).
  returned: failure
  type: str
reasons:
  description: What went wrong.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import task_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "outputs": {"type": "dict", "required": True},
            "image": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "task": task_spec(),
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_image.ops import run

    run(module)


if __name__ == "__main__":
    main()
