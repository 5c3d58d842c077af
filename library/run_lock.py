#!/usr/bin/python
"""Take an environment for one run: documentation and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: One run at a time changes an environment
version_added: "0.1.0"
description:
  - >-
    V(running) takes the lock for the run that calls it and begins the run's record in the ledger.
    A process stays beside the run: it renews the lock's lease while the controller lives, and
    completes the record and frees the lock when the run ends, however it ends.
  - >-
    While another run holds the lock it is waited for O(wait_seconds); then the task fails and says
    who holds it, since when, and what to do. A lock whose lease has run out is taken over. One that
    was set by hand never is.
  - >-
    The lock is an object in the state bucket, written with conditional requests. Its token grows
    with every holder; given as the option C(fence) of C(aws), modules compare it before they write.
  - V(held) sets the lock by hand, V(open) opens it, by the token that O(take_over) names.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Takes nothing and writes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
extends_documentation_fragment: [lyo]
options:
  state:
    description: What to do.
    type: str
    choices: [running, held, open]
    default: running
  env:
    description: Name of the environment, for the ledger.
    type: str
    required: true
  bucket:
    description: The state bucket.
    type: str
    required: true
  lock_key:
    description: Key of the lock's object.
    type: str
    default: lyo.lock.json
  ledger_prefix:
    description: Folder of the ledger in the same bucket.
    type: str
    default: ledger/
  runbook:
    description: The runbook, for the ledger.
    type: str
    default: ""
  command:
    description: What was typed, without secrets.
    type: str
    default: ""
  message:
    description: Why, for whoever finds the lock.
    type: str
    default: ""
  project_path:
    description: This repository, whose revision goes into the ledger.
    type: path
    default: "."
  exclusive:
    description: >-
      Whether the lock is needed. Without it only the record is kept, as for a rollback during bake,
      which must not wait for the very run that it turns back.
    type: bool
    default: true
  aim:
    description: Task definition that a rollback sets out to deploy, for the ledger.
    type: str
    default: ""
  wait_seconds:
    description: How long to wait for another's run.
    type: int
    default: 0
  take_over:
    description: Token of a holder that is certainly gone; 0 for none.
    type: int
    default: 0
  lease_seconds:
    description: How long the lock counts after its last renewal.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: One run at a time
  run_lock:
    aws: "{{ lyo_aws }}"
    env: production
    bucket: lyo-production-123456789012-tfstate
    runbook: deploy.yml
    command: deploy.yml release=v2
  register: lock

- name: Nobody deploys during the tasting
  run_lock:
    aws: "{{ lyo_aws }}"
    env: production
    bucket: lyo-production-123456789012-tfstate
    state: held
    message: press day, ask Giulia
"""

RETURN = r"""
run:
  description: Id of the run in the ledger.
  returned: O(state=running)
  type: str
token:
  description: Token of the lock.
  returned: success
  type: int
waited:
  description: Whether another run was waited for, so that what was read before may be old.
  returned: O(state=running)
  type: bool
note:
  description: What is worth saying, as whose lock was taken over.
  returned: success
  type: str
fence:
  description: For the option C(fence) of C(aws) of the tasks that follow; empty without a lock.
  returned: O(state=running)
  type: dict
verdict:
  description: V(FAILED).
  returned: failure
  type: str
reasons:
  description: Who holds the lock and what to do, for people.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "state": {"type": "str", "choices": ["running", "held", "open"], "default": "running"},
            "env": {"type": "str", "required": True},
            "bucket": {"type": "str", "required": True},
            # A name, not a secret.
            "lock_key": {"type": "str", "default": "lyo.lock.json", "no_log": False},
            "ledger_prefix": {"type": "str", "default": "ledger/"},
            "runbook": {"type": "str", "default": ""},
            "command": {"type": "str", "default": ""},
            "message": {"type": "str", "default": ""},
            "project_path": {"type": "path", "default": "."},
            "exclusive": {"type": "bool", "default": True},
            "aim": {"type": "str", "default": ""},
            "wait_seconds": {"type": "int", "default": 0},
            "take_over": {"type": "int", "default": 0},
            "lease_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_lock.run_lock import run

    run(module)


if __name__ == "__main__":
    main()
