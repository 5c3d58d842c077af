#!/usr/bin/python
"""Watch a service deployment in progress: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_watch
short_description: Watch a service deployment in progress
version_added: "0.1.0"
description:
  - >-
    Follows the deployment that is in progress to its end, as an onlooker: no hook is answered and
    nothing is turned back. Ends with its verdict.
  - Where none is in progress it says so, and how the last one ended.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: The same, for it only reads.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment: [lyo, lyo.place]
options:
  timeout:
    description: Stop watching after this many seconds; the deployment goes on.
    type: int
    default: 7200
"""

EXAMPLES = r"""
- name: Watch
  ecs_watch:
    aws: "{{ lyo_aws }}"
    env: production
"""

RETURN = r"""
verdict:
  description: V(DEPLOYED), V(ROLLED_BACK), V(STILL_RUNNING) or V(FAILED); fails unless V(DEPLOYED).
  returned: when a deployment was in progress
  type: str
reasons:
  description: Why, one line each, for people.
  returned: always
  type: list
  elements: str
in_progress:
  description: Whether a deployment was in progress.
  returned: success
  type: bool
release:
  description: The release it brings.
  returned: success
  type: str
deployment:
  description: Its ARN, empty without one.
  returned: success
  type: str
stages:
  description: Lifecycle stages seen, each with the seconds spent in it.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_operate.spec import place_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            **place_spec(),
            "timeout": {"type": "int", "default": 7200},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_operate.watch import run

    run(module)


if __name__ == "__main__":
    main()
