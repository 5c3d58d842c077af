#!/usr/bin/python
"""Restore the database into a new instance: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database_restore
short_description: Restore the database into a new RDS instance, and switch the application over
version_added: "0.3.0"
description:
  - >-
    Restores a snapshot, or a point in time, into a new instance that is like the one it replaces: subnet
    group, security groups, parameter group, class and settings as in Terraform's state.
  - Validates it by one-off tasks of the application's image, then writes which instance serves.
  - >-
    The instance that serves is never changed or deleted. An instance of a run that was interrupted is found by
    its tag and gone on with; what killed runs have left otherwise is deleted.
  - Former instances are kept until they are released.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would be restored, and from which point; changes nothing.
    support: full
  diff_mode:
    description: Shows the new instance's parameters.
    support: full
extends_documentation_fragment: [lyo, lyo.place, lyo.task, lyo.program, lyo.restored]
options:
  action:
    description: >-
      V(restore) into a new instance; V(release) deletes the former instances that are kept; V(discard) deletes
      restored ones that were never switched to; V(tenant) brings the rows of one tenant back into the database
      that serves, from a logical backup, and touches nobody else's.
    type: str
    choices: [restore, release, discard, tenant]
    default: restore
  source:
    description: What to restore from.
    type: str
  snapshot:
    description: Name of the snapshot, or V(latest).
    type: str
  time:
    description: Point in time, ISO 8601 with its zone, whole seconds; or V(latest).
    type: str
  backup:
    description: Id of a logical backup, or V(latest) for the newest verified one.
    type: str
  tenant:
    description: Whose rows are brought back, with O(action=tenant).
    type: str
  approve:
    description: RV(digest) of what was shown, with O(action=tenant). Without it nothing is changed.
    type: str
  replace:
    description: >-
      Whether rows that differ are changed and rows that the backup has not are deleted, with O(action=tenant). By
      default only what is missing is brought back.
    type: bool
    default: false
  again:
    description: Whether to restore once more what the serving instance was restored from already.
    type: bool
    default: false
  switch:
    description: Whether to switch to it once it was validated.
    type: bool
    default: true
  named:
    description: >-
      Whether somebody has chosen that release. Otherwise one that would migrate what was restored is not
      switched to: its migration may be what went wrong.
    type: bool
    default: false
  schema:
    description: Schema revisions that the release runs on that will use it.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: As it was at that second
  database_restore:
    aws: "{{ lyo_aws }}"
    env: production
    name: lyo-production
    source: time
    time: "2026-11-27T10:15:00Z"
    state: {bucket: "{{ lyo_state_bucket }}"}
    image: "{{ plan.current.image }}"
    release: "{{ plan.current.release }}"
    task: "{{ lyo_task }}"
    checks: {plan: [migrate, --plan]}
"""

RETURN = r"""
identifier:
  description: Identifier of the restored instance, empty where there is none.
  returned: always
  type: str
serving:
  description: Identifier of the instance that serves.
  returned: on success
  type: str
kept:
  description: Identifiers of the former instances that are kept.
  returned: on success
  type: list
  elements: str
switched:
  description: Whether the restored instance is the one that serves.
  returned: always
  type: bool
point:
  description: What was restored.
  returned: always
  type: str
rows:
  description: Rows by table, as they were counted in the restored database.
  returned: always
  type: dict
schema:
  description: Schema revision of the restored database.
  returned: when it was validated, and the image says it
  type: str
record:
  description: What the ledger keeps of it.
  returned: as RV(schema)
  type: dict
digest:
  description: >-
    With O(action=tenant), the digest of what would be done or was done; V(nothing) where nothing is missing.
  returned: always
  type: str
notes:
  description: What is worth knowing.
  returned: always
  type: list
  elements: str
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
            "action": {
                "type": "str",
                "choices": ["restore", "release", "discard", "tenant"],
                "default": "restore",
            },
            "source": {"type": "str"},
            "snapshot": {"type": "str"},
            "time": {"type": "str"},
            "backup": {"type": "str"},
            "tenant": {"type": "str"},
            "approve": {"type": "str"},
            "replace": {"type": "bool", "default": False},
            "again": {"type": "bool", "default": False},
            "switch": {"type": "bool", "default": True},
            "named": {"type": "bool", "default": False},
            "schema": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("action", "tenant", ["tenant"])],
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_restore.run import run

    run(module)


if __name__ == "__main__":
    main()
