#!/usr/bin/python
"""Show the application's log and why tasks stopped: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_logs
short_description: Show the application's log and why tasks stopped
version_added: "0.1.0"
description:
  - >-
    Shows the last lines of the application's log group across all tasks, one-off tasks included, and
    on request what follows, line by line.
  - >-
    Lists the tasks that stopped within the hour that ECS remembers them, with their reasons and exit
    codes, and the service's events of trouble.
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
  since:
    description: How far back, as V(90s), V(15m), V(2h) or V(1d).
    type: str
    default: 15m
  filter:
    description: >-
      CloudWatch's filter pattern, as C(ERROR) or C({ $.level = "error" }). By default every line.
    type: str
    default: ""
  limit:
    description: How many of the last lines.
    type: int
    default: 100
  follow:
    description: Show lines as they come.
    type: bool
    default: false
  follow_seconds:
    description: For how many seconds; 0 for until Ctrl-C.
    type: int
    default: 0
  stopped:
    description: How many of the tasks that failed are listed; 0 leaves stopped tasks out.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: The last errors
  ecs_logs:
    aws: "{{ lyo_aws }}"
    env: production
    since: 1h
    filter: ERROR
"""

RETURN = r"""
group:
  description: The log group.
  returned: success
  type: str
lines:
  description: The last lines, oldest first, each with time (UTC) and task.
  returned: success
  type: list
  elements: str
followed:
  description: How many lines came while they were followed.
  returned: success
  type: int
complete:
  description: Whether all lines of the time were looked at.
  returned: success
  type: bool
stopped:
  description: Why tasks stopped.
  returned: success
  type: list
  elements: str
events:
  description: The service's events of trouble.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_operate.spec import place_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            **place_spec(),
            "since": {"type": "str", "default": "15m"},
            "filter": {"type": "str", "default": ""},
            "limit": {"type": "int", "default": 100},
            "follow": {"type": "bool", "default": False},
            "follow_seconds": {"type": "int", "default": 0},
            "stopped": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_operate.logs import run

    run(module)


if __name__ == "__main__":
    main()
