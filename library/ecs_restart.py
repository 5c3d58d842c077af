#!/usr/bin/python
"""Replace every task by a new one of the same revision: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_restart
short_description: Replace every task by a new one of the same revision
version_added: "0.1.0"
description:
  - >-
    Starts a service deployment of what serves already, so that new tasks come as blue/green, are
    checked through the test listener and take the traffic: for secrets that were rotated, or tasks
    that are not what they should be. Strategy, bake time and alarms are those of O(deployment), not what
    the last deployment has left in the service.
  - >-
    A restart that is under way is followed, not started twice. While another release is being
    deployed it is refused.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would happen, changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment: [lyo, lyo.place, lyo.deployment, lyo.smoke]
options:
  smoke:
    description: >-
      Checks at the hook, before production traffic moves. Paths are below the outputs'
      C(test_url).
  release_alarms:
    description: >-
      Take the alarms of the outputs (C(alarms.release)) that turn a release back, whatever
      O(deployment.alarms) says.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Restart
  ecs_restart:
    aws: "{{ lyo_aws }}"
    env: production
    deployment: {strategy: CANARY, bake_time_minutes: 15}
    release_alarms: true
    smoke:
      - name: health
        path: /health
"""

RETURN = r"""
verdict:
  description: V(RESTARTED), V(ROLLED_BACK), V(STILL_RUNNING) or V(FAILED); V(PREDICTED) in check mode.
  returned: always
  type: str
reasons:
  description: Why, one line each, for people.
  returned: always
  type: list
  elements: str
release:
  description: The release that serves.
  returned: when there is a service
  type: str
task_definition:
  description: ARN of its task definition.
  returned: when there is a service
  type: str
deployment:
  description: ARN of the service deployment that was followed, empty without one.
  returned: when there is a service
  type: str
stages:
  description: Lifecycle stages seen, each with the seconds spent in it.
  returned: when there is a service
  type: list
  elements: dict
record:
  description: What the ledger keeps of it.
  returned: when a deployment was followed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_operate.spec import place_spec
from ansible.module_utils.lyo_release.options import checks_spec, deployment_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            **place_spec(),
            "smoke": checks_spec(),
            "deployment": deployment_spec(),
            "release_alarms": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_operate.restart import run

    run(module)


if __name__ == "__main__":
    main()
