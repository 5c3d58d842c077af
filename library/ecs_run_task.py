#!/usr/bin/python
"""Run a one-off task and wait for its exit code: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_run_task
short_description: Run a one-off task and wait for its exit code
version_added: "0.1.0"
description:
  - >-
    Registers the task definition if an equal one does not exist, runs it once, shows its
    log while it runs.
  - >-
    A run that was interrupted is found again and followed, not started twice.
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
  name:
    description: What the task does, part of the task definition's family.
    type: str
    default: migrate
  image:
    description: Image, with digest.
    type: str
    required: true
  release:
    description: Name of the release the image belongs to.
    type: str
    required: true
  command:
    description: Command of the container.
    type: list
    elements: str
    required: true
  entrypoint:
    description: What the command is given to. By default the image's entry point.
    type: list
    elements: str
  repeat:
    description: >-
      Whether a task of the same content runs again. V(never) is for what is done once, as migrations:
      an attempt that was interrupted is found again. V(after) is for what a person types: each run
      starts one, unless one still runs, which is then watched. V(always) starts another beside it.
    type: str
    choices: [never, after, always]
    default: never
  migrates:
    description: >-
      Whether the task runs migrations, and therefore says in its log where the schema is: the last line
      that begins with C(lyo.schema:), a JSON object with C(revision), C(serves) and C(contracted).
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the end. The task is not stopped.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Migrations
  ecs_run_task:
    aws: "{{ lyo_aws }}"
    outputs: "{{ plan.outputs }}"
    name: migrate
    image: "{{ image.image }}"
    release: "{{ image.release }}"
    command: [migrate]
    migrates: true

- name: Something for today
  ecs_run_task:
    aws: "{{ lyo_aws }}"
    outputs: "{{ plan.outputs }}"
    name: run
    image: "{{ plan.current.image }}"
    release: "{{ plan.current.release }}"
    command: [seed, tenants.json]
    repeat: after
"""

RETURN = r"""
exit_code:
  description: Exit code of the container, none where it never started or is still running.
  returned: always
  type: int
task_arn:
  description: ARN of the task.
  returned: always
  type: str
task_definition:
  description: ARN of the task definition.
  returned: always
  type: str
log:
  description: The last lines of the log.
  returned: always
  type: list
  elements: str
schema:
  description: >-
    Where the schema is, as the task said: C(revision), C(serves) (revisions whose releases it serves)
    and C(contracted) (those whose releases it no longer serves).
  returned: with O(migrates), when the task said it, also when it failed
  type: dict
reasons:
  description: What went wrong, one line each, for people.
  returned: always
  type: list
  elements: str
verdict:
  description: V(SUCCEEDED), V(STILL_RUNNING) or V(FAILED).
  returned: unless O(repeat=never), and not in check mode
  type: str
record:
  description: What the ledger keeps of it; with O(migrates), where the schema is, too.
  returned: as RV(schema), or unless O(repeat=never), and not in check mode
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import task_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "outputs": {"type": "dict", "required": True},
            "name": {"type": "str", "default": "migrate"},
            "image": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "task": task_spec(),
            "entrypoint": {"type": "list", "elements": "str"},
            "repeat": {"type": "str", "choices": ["never", "after", "always"], "default": "never"},
            "migrates": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_release.run_task import run

    run(module)


if __name__ == "__main__":
    main()
