#!/usr/bin/python
"""Recover the database into isolation, timed: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_drill
short_description: Recover the database into isolation, time it, and delete what was made
version_added: "0.3.0"
description:
  - >-
    Restores the newest point that can be reached, or a snapshot, into an instance that nobody uses, validates
    it by one-off tasks of the application's image, and deletes it, whatever came of it.
  - >-
    Recovery time (RTO) is from the beginning until the database was found usable; recovery point (RPO) from the
    point that could be reached to the beginning.
  - What a drill that was killed has left is deleted first. Two must not run at once; the caller holds a lock.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would be restored; changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment: [lyo, lyo.place, lyo.task, lyo.program, lyo.restored]
options:
  source:
    description: What to restore from.
    type: str
    choices: [time, snapshot]
    default: time
  snapshot:
    description: Name of the snapshot. By default the newest.
    type: str
"""

EXAMPLES = r"""
- name: Once a month
  recovery_drill:
    aws: "{{ lyo_aws }}"
    env: production
    name: lyo-production
    state: {bucket: "{{ lyo_state_bucket }}"}
    image: "{{ plan.current.image }}"
    release: "{{ plan.current.release }}"
    task: "{{ lyo_task }}"
    checks: {plan: [migrate, --plan]}
"""

RETURN = r"""
drill:
  description: >-
    What came of it: C(at), C(verdict), C(what), C(rto_seconds), C(rpo_seconds), C(restore_seconds), C(rows),
    C(schema), C(reasons).
  returned: always, empty in check mode
  type: dict
record:
  description: What the ledger keeps of it.
  returned: when one was made
  type: dict
verdict:
  description: V(SUCCEEDED) or V(FAILED).
  returned: when one was made
  type: str
reasons:
  description: What came of it, or what went wrong, for people.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_restore.options import restored_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            **restored_spec(),
            "source": {"type": "str", "choices": ["time", "snapshot"], "default": "time"},
            "snapshot": {"type": "str"},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_restore.drill import run

    run(module)


if __name__ == "__main__":
    main()
