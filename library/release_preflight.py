#!/usr/bin/python
"""Say what stands in the way of a release: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_preflight
short_description: Say what stands in the way of a release
version_added: "0.1.0"
description:
  - >-
    Looks whether everything that a release will need exists and is allowed, before anything is
    written: cluster and service, roles and permissions, secrets and their keys, the image and its
    platform, addresses, target groups and rules, quotas, log groups, alarms, the lock.
  - >-
    Only reads, and fails where the release would. Secrets' values are looked at for the names of
    their keys and never leave the module. What cannot be found out, for want of a permission, is
    told as such.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: The same, for it only reads.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment: [lyo, lyo.outputs, lyo.task, lyo.deployment, lyo.in_progress]
options:
  env:
    description: Name of the environment.
    type: str
    required: true
  release:
    description: Name of the release.
    type: str
    required: true
  image:
    description: Image with digest; empty where it is still to be built.
    type: str
    default: ""
  tag:
    description: Its tag, for an image that is still to be built.
    type: str
    default: ""
  builder:
    description: What an image that is still to be built is built with.
    type: str
    choices: [process, docker]
    default: process
  bucket:
    description: Bucket of the lock.
    type: str
    required: true
  lock_key:
    description: Key of the lock.
    type: str
    default: lyo.lock.json
  own_lock:
    description: The run holds the lock itself, so it is not looked at.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Preflight
  release_preflight:
    aws: "{{ lyo_aws }}"
    env: production
    outputs: "{{ plan.outputs }}"
    image: "{{ plan.wanted.image }}"
    release: "{{ plan.wanted.release }}"
    bucket: lyo-production-123456789012-tfstate
"""

RETURN = r"""
findings:
  description: >-
    What was found, the worst first, each with C(level) (V(problem), V(warning) or V(unknown)),
    C(area), C(what), C(why) and C(todo).
  returned: always
  type: list
  elements: dict
report:
  description: The same for a terminal, a line an element.
  returned: always
  type: list
  elements: str
verdict:
  description: V(FAILED).
  returned: when there is a problem
  type: str
reasons:
  description: The problems, one line each, for people.
  returned: when there is a problem
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import deployment_spec, task_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "outputs": {"type": "dict", "required": True},
            "release": {"type": "str", "required": True},
            "image": {"type": "str", "default": ""},
            "tag": {"type": "str", "default": ""},
            "builder": {"type": "str", "choices": ["process", "docker"], "default": "process"},
            "task": task_spec(),
            "deployment": deployment_spec(),
            "in_progress": {"type": "str", "choices": ["refuse", "wait"], "default": "refuse"},
            "bucket": {"type": "str", "required": True},
            # A name, not a secret.
            "lock_key": {"type": "str", "default": "lyo.lock.json", "no_log": False},
            "own_lock": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_preflight.run import run

    run(module)


if __name__ == "__main__":
    main()
