#!/usr/bin/python
"""Bring the schema to what a release needs: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_migration
short_description: Bring the database's schema to what a release needs, checked before it runs
version_added: "0.2.0"
description:
  - >-
    Runs the image's migration command as a one-off task. Where nothing is pending, that is all. What is
    pending is shown with its SQL, linted (squawk and rules of its own), and checked against the live
    database; then a second task runs exactly what was checked, by its digest.
  - Before a change that loses something an RDS snapshot is taken. A repeated run finds it.
  - >-
    Contracting is refused while a release that needs the old schema serves, or can be rolled back to.
  - A task of a run that was interrupted is followed to its end first.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: >-
      Changes nothing and calls nobody, unless O(plan=task): then the command's C(--plan), which only
      reads the database, runs as a one-off task.
    support: full
  diff_mode:
    description: Shows the SQL.
    support: full
extends_documentation_fragment: [lyo, lyo.outputs, lyo.task]
options:
  image:
    description: Image, with digest.
    type: str
    required: true
  release:
    description: Name of the release the image belongs to.
    type: str
    required: true
  command:
    description: Command of the container. What it has to understand and say, docs/decisions/migrations.md tells.
    type: list
    elements: str
    required: true
  reports:
    description: Whether the command understands C(--plan) and C(--approve). Without it, it is only run.
    type: bool
    default: true
  contract:
    description: Migration to contract to. By default the release is expanded to.
    type: str
    default: ''
  plan:
    description: >-
      V(task) runs a one-off task that shows what is pending and changes nothing, and no other, also without
      check mode. RunTask is a write call of ECS, so check mode alone does not make it.
    type: str
    choices: [none, task]
    default: none
  timeouts:
    description: Settings of PostgreSQL for every statement of a migration, sent as E(PGOPTIONS).
    type: dict
    default: {}
  attempts:
    description: How often a lock is asked for.
    type: int
    default: 10
  limits:
    description: From when on something in the live database counts.
    type: dict
    default: {}
    suboptions:
      allowed_bytes:
        description: Size of a table up to which an allowed finding is allowed, where the table's size matters.
        type: int
      rows:
        description: Rows of a table from which on they are changed in batches only.
        type: int
      transaction_seconds:
        description: Age in seconds from which on a transaction is in the way.
        type: int
      lag_seconds:
        description: Seconds that a replica may be behind.
        type: float
      free_share:
        description: Share of the storage (0 to 1) that has to stay free.
        type: float
  keep:
    description: How many releases that served before the present one have to stay possible.
    type: int
    default: 1
  ledger:
    description: Where the runs are on record.
    type: dict
    suboptions:
      bucket:
        description: Bucket of the ledger.
        type: str
        required: true
      prefix:
        description: How its keys begin.
        type: str
        default: ledger/
  snapshot_timeout:
    description: Seconds that the snapshot may take.
    type: int
    default: 3600
  timeout:
    description: Seconds to wait for the end of a task. It is not stopped.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Migrations
  schema_migration:
    aws: "{{ lyo_aws }}"
    outputs: "{{ plan.outputs }}"
    image: "{{ image.image }}"
    release: "{{ image.release }}"
    command: [migrate]
    timeouts: {lock_timeout: 1s, statement_timeout: 30min}
"""

RETURN = r"""
exit_code:
  description: Exit code of the last task, none where it never started or is still running.
  returned: always
  type: int
applied:
  description: The migrations that were run.
  returned: always
  type: list
  elements: str
snapshot:
  description: Name of the snapshot that was taken before, empty where none was needed.
  returned: always
  type: str
notes:
  description: What is worth knowing and stops nothing.
  returned: always
  type: list
  elements: str
log:
  description: The last lines of the log.
  returned: always
  type: list
  elements: str
reasons:
  description: What came of it, or what went wrong, one line each, for people.
  returned: always
  type: list
  elements: str
schema:
  description: Where the schema is, as the task said, C(revision), C(serves) and C(contracted).
  returned: when a task said it
  type: dict
record:
  description: What the ledger keeps of it.
  returned: as RV(schema)
  type: dict
lyo_summary:
  description: The pending migrations and their SQL, for the end of the run.
  returned: when something was pending
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import ledger_spec, task_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "outputs": {"type": "dict", "required": True},
            "image": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "reports": {"type": "bool", "default": True},
            "contract": {"type": "str", "default": ""},
            "plan": {"type": "str", "choices": ["none", "task"], "default": "none"},
            "task": task_spec(),
            "timeouts": {"type": "dict", "default": {}},
            "attempts": {"type": "int", "default": 10},
            "limits": {
                "type": "dict",
                "default": {},
                "options": {
                    "allowed_bytes": {"type": "int"},
                    "rows": {"type": "int"},
                    "transaction_seconds": {"type": "int"},
                    "lag_seconds": {"type": "float"},
                    "free_share": {"type": "float"},
                },
            },
            "keep": {"type": "int", "default": 1},
            "ledger": ledger_spec(),
            "snapshot_timeout": {"type": "int", "default": 3600},
            "timeout": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_migration.run import run

    run(module)


if __name__ == "__main__":
    main()
