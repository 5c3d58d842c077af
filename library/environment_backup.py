#!/usr/bin/python
"""Back up an environment: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_backup
short_description: Back up an environment's database and cache, and prove that it can be restored
version_added: "0.1.0"
description:
  - >-
    Takes a snapshot of the DB instance that serves and one of the cache, dumps the database by a task of
    the ops image, copies the dump to the second bucket, restores it into a scratch instance made for it and
    compares the two, deletes what retention no longer keeps, and sends the metrics that alarms are made from.
  - >-
    First it removes what interrupted runs have left, and follows what is still under way instead of
    beginning it again. One kind that fails does not keep the others from being made.
  - Two at once are for the lock of the role C(backup) to keep apart.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would be made, removed and deleted; only reads.
    support: full
  diff_mode:
    description: Shows the backups before and after in check mode, and what was removed.
    support: full
extends_documentation_fragment: [lyo, lyo.place, lyo.program]
options:
  name:
    description: What the environment's names begin with, also the cache's replication group.
    type: str
    required: true
  kinds:
    description: What is backed up.
    type: list
    elements: str
    choices: [snapshot, cache, logical]
    default: [snapshot, cache, logical]
  verify:
    description: Whether logical backups without a verdict are restored and compared.
    type: bool
    default: true
  since:
    description: >-
      When this run was started, ISO 8601, where it had to wait for another one: what that one has made
      since counts.
    type: str
    default: ""
  smoke:
    description: >-
      The application's own smoke test, run on each database that was restored for verification, as a
      one-off task of the release that serves.
    type: dict
    default: {}
    suboptions:
      command:
        description: What its image is told; by default there is no such test.
        type: list
        elements: str
        default: []
      task:
        description: >-
          What its task definition is made from, in which C(${target.host}), C(${target.port}),
          C(${target.name}) and C(${target.secret_arn}) stand for the restored database.
        type: dict
        default: {}
      timeout:
        description: Seconds that it may take.
        type: int
        default: 600
  scratch_class:
    description: Class of the scratch instance. By default the class of the instance that serves.
    type: str
  scratch_timeout:
    description: Seconds that the scratch instance may take to become available.
    type: int
    default: 3600
  snapshot_timeout:
    description: Seconds that a snapshot may take.
    type: int
    default: 7200
  busy_timeout:
    description: Seconds that instance or cache may be busy, as with another snapshot, before one is given up.
    type: int
    default: 1800
  retention:
    description: Which backups stay, grandfather-father-son. The last verified one always does.
    type: dict
    default: {}
    suboptions:
      migration_days:
        description: Days that the snapshot before a migration stays at least.
        type: int
        default: 35
      snapshot:
        description: Of RDS snapshots.
        type: dict
        suboptions: &policy
          daily:
            description: Of how many days the last one stays.
            type: int
          weekly:
            description: Of how many weeks.
            type: int
          monthly:
            description: Of how many months.
            type: int
          yearly:
            description: Of how many years.
            type: int
          hours:
            description: Whatever is younger stays.
            type: int
      cache:
        description: Of the cache's snapshots.
        type: dict
        suboptions: *policy
      logical:
        description: Of logical backups, in both buckets.
        type: dict
        suboptions: *policy
"""

EXAMPLES = r"""
- name: Back up
  environment_backup:
    aws: "{{ lyo_aws }}"
    env: production
    name: lyo-production
    retention:
      logical: {daily: 14, weekly: 8, monthly: 24}
  register: backup

- name: A snapshot, and nothing else
  environment_backup:
    aws: "{{ lyo_aws }}"
    env: production
    name: lyo-production
    kinds: [snapshot]
"""

RETURN = r"""
backup:
  description: ID of the backup.
  returned: success, and failure after it began
  type: str
  sample: 20261127T031502Z-0a1b2c3d
removed:
  description: What was removed or deleted, or would be, a line each.
  returned: as RV(backup)
  type: list
  elements: str
verdict:
  description: V(BACKED_UP), V(UNCHANGED), V(STILL_RUNNING), V(FAILED), or V(PREDICTED) in check mode.
  returned: always
  type: str
reasons:
  description: What was made, and what went wrong, one line each, for people.
  returned: always
  type: list
  elements: str
record:
  description: What the ledger keeps of it.
  returned: as RV(backup), and not in check mode
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_backup.options import program_spec

_NUMBERS = ("daily", "weekly", "monthly", "yearly", "hours")
_KINDS = ["snapshot", "cache", "logical"]


def _retention() -> dict[str, object]:
    policy: dict[str, object] = {
        "type": "dict",
        "options": {name: {"type": "int"} for name in _NUMBERS},
    }
    options: dict[str, object] = {"migration_days": {"type": "int", "default": 35}}
    options |= dict.fromkeys(_KINDS, policy)
    return {"type": "dict", "default": {}, "options": options}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "outputs_parameter": {"type": "str"},
            "name": {"type": "str", "required": True},
            "kinds": {"type": "list", "elements": "str", "choices": _KINDS, "default": _KINDS},
            "verify": {"type": "bool", "default": True},
            "since": {"type": "str", "default": ""},
            "program": program_spec(),
            "smoke": {
                "type": "dict",
                "default": {},
                "options": {
                    "command": {"type": "list", "elements": "str", "default": []},
                    "task": {"type": "dict", "default": {}},
                    "timeout": {"type": "int", "default": 600},
                },
            },
            "scratch_class": {"type": "str"},
            "scratch_timeout": {"type": "int", "default": 3600},
            "snapshot_timeout": {"type": "int", "default": 7200},
            "busy_timeout": {"type": "int", "default": 1800},
            "retention": _retention(),
        },
        supports_check_mode=True,
    )
    for kind in _KINDS:
        policy = module.params["retention"].get(kind) or {}
        negative = [name for name in _NUMBERS if (policy.get(name) or 0) < 0]
        if negative:
            module.fail_json(msg=f"retention.{kind}: {', '.join(negative)} must not be negative")
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_backup.run import run

    run(module)


if __name__ == "__main__":
    main()
