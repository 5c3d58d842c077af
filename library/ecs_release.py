#!/usr/bin/python
"""Release a revision with the blue/green deployment of Amazon ECS: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_release
short_description: Release a revision with the blue/green deployment of Amazon ECS
version_added: "0.1.0"
description:
  - >-
    Registers the task definition if an equal one does not exist, starts a service
    deployment, checks the new revision through the test listener at a PAUSE hook, follows
    the deployment to its end.
  - >-
    Success means that the revision asked for carries all production traffic.
  - >-
    After a crash at any point a second run finds the deployment and follows it.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: full
extends_documentation_fragment: [lyo, lyo.outputs, lyo.task, lyo.deployment, lyo.in_progress, lyo.smoke, lyo.outside]
options:
  image:
    description: Image, with digest.
    type: str
    required: true
  release:
    description: Name of the release.
    type: str
    required: true
  schema:
    description: Schema revisions that the release runs on, kept as the task definition's label C(lyo.schema).
    type: list
    elements: str
    default: []
  smoke:
    description: >-
      Checks at the hook, before production traffic moves. Paths are below the outputs'
      C(test_url).
  keep_days:
    description: >-
      Days for which M(release_retention) keeps everything. While the old tasks are being stopped it is looked
      whether there is anything older, RV(surplus).
    type: int
  wait_for:
    description: >-
      When to return. V(bake) once all traffic is on the new revision and the old one still runs,
      V(complete) after the old one is gone.
    type: str
    choices: [bake, complete]
    default: complete
"""

EXAMPLES = r"""
- name: Release
  ecs_release:
    aws: "{{ lyo_aws }}"
    outputs: "{{ plan.outputs }}"
    image: "{{ image.image }}"
    release: "{{ image.release }}"
    deployment:
      strategy: CANARY
      bake_time_minutes: 10
    smoke:
      - name: smoke
        path: /smoke
        json: {status: ok}
"""

RETURN = r"""
verdict:
  description: V(UNCHANGED), V(DEPLOYED), V(ROLLED_BACK), V(STILL_RUNNING) or V(FAILED).
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
  description: ARN of the task definition that was asked for. Empty where only predicted.
  returned: always
  type: str
service_revision:
  description: ARN of the service revision the deployment aimed at, empty without one.
  returned: always
  type: str
surplus:
  description: >-
    Whether M(release_retention) may find something to remove. Only false where O(keep_days) was given and all
    there is is younger.
  returned: always
  type: bool
verified:
  description: Whether all of O(outside) was right, with all traffic on the new tasks.
  returned: always
  type: bool
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import checks_spec, deployment_spec, task_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "outputs": {"type": "dict", "required": True},
            "image": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "schema": {"type": "list", "elements": "str", "default": []},
            "task": task_spec(),
            "deployment": deployment_spec(),
            "smoke": checks_spec(),
            "outside": checks_spec(),
            "keep_days": {"type": "int"},
            "wait_for": {"type": "str", "choices": ["bake", "complete"], "default": "complete"},
            "in_progress": {"type": "str", "choices": ["refuse", "wait"], "default": "refuse"},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_release.run_release import run

    run(module)


if __name__ == "__main__":
    main()
