#!/usr/bin/python
"""Bring the infrastructure to its Terraform configuration: documentation and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: terraform_stack
short_description: Plan the infrastructure once, apply what was planned phase by phase
version_added: "0.1.0"
description:
  - >-
    V(plan) makes one Terraform plan of the whole configuration and says which phases it changes.
    V(apply) carries out one phase of it, so that each phase can be validated before the next.
    V(mark) notes, once all that is done, that the next plan would be empty.
  - >-
    A saved plan cannot be applied in part. Where several phases change, each is planned again from
    the state alone, limited to its modules, and refused if it would do anything that the plan of
    the run did not show. Where only one phase changes, or something is destroyed or replaced, the
    saved plan itself is applied as a whole.
  - >-
    A plan that would destroy what holds data is refused unless O(allow_destroy) names it.
  - >-
    V(drift) plans without the state's lock, keeps and writes nothing, and fails where something was
    changed outside Terraform.
  - >-
    V(lift) and V(destroy) take everything down: the first turns off what protects resources and
    their content, where something does, the second destroys what the state knows.
  - >-
    Credentials reach Terraform through its environment, never as arguments.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Plans without the state's lock, keeps and writes nothing.
    support: full
  diff_mode:
    description: Shows the attributes that change, without sensitive values.
    support: full
extends_documentation_fragment: [lyo]
options:
  action:
    description: >-
      V(plan) once a run, then V(apply) for each phase of RV(phases), at the end V(mark). V(drift)
      alone. V(lift), then V(destroy).
    type: str
    choices: [plan, apply, mark, drift, lift, destroy]
    required: true
  env:
    description: Name of the environment, for messages.
    type: str
    required: true
  project_path:
    description: Folder of the root module.
    type: path
    required: true
  data_dir:
    description: >-
      Folder of what Terraform keeps between runs (TF_DATA_DIR). Each environment needs its own.
    type: path
    required: true
  backend:
    description: Settings of the state's backend, as C(bucket) and C(region).
    type: dict
    required: true
  var_files:
    description: Files with values of variables.
    type: list
    elements: path
    default: []
  variables:
    description: Values of variables; they win over O(var_files).
    type: dict
    default: {}
  phases:
    description: >-
      The phases in their order. What no phase names, the root module too, belongs to the last one
      that changes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the phase.
        type: str
        required: true
      modules:
        description: Modules of the root that the phase is made of.
        type: list
        elements: str
        required: true
  chosen:
    description: Names of the phases that may be entered, by default all. The others stay pending.
    type: list
    elements: str
  plan_dir:
    description: For O(action=apply), RV(plan_dir) of the plan.
    type: path
  phase:
    description: For O(action=apply), the phase to carry out.
    type: str
  allow_destroy:
    description: Addresses of resources with data that the plan may destroy or replace.
    type: list
    elements: str
    default: []
  marker:
    description: >-
      Where V(mark) notes that nothing is left to do, so that the next run need not plan, and where
      the state is.
    type: dict
    suboptions:
      bucket:
        description: Bucket of the note.
        type: str
        required: true
      key:
        description: Key of the note.
        type: str
        required: true
      state_key:
        description: Key of Terraform's state in the same bucket.
        type: str
        default: lyo.tfstate
      fingerprint:
        description: What the plan depended on, RV(release_plan#module:infra_fingerprint).
        type: str
        required: true
  terraform:
    description: The Terraform command.
    type: path
    default: terraform
  cli_config:
    description: Terraform's CLI configuration file.
    type: path
  parallelism:
    description: How many resources Terraform works on at a time.
    type: int
    default: 10
  lock_timeout_seconds:
    description: How long to wait for a lock that another run holds on the state.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Plan
  terraform_stack:
    aws: "{{ lyo_aws }}"
    env: production
    action: plan
    project_path: terraform
    data_dir: .cache/terraform/production
    backend: {bucket: lyo-production-tfstate, region: eu-south-1}
    var_files: [terraform/production.tfvars]
    phases:
      - {name: foundation, modules: [vpc]}
      - {name: application, modules: [application]}
  register: stack

- name: Foundation
  terraform_stack:
    aws: "{{ lyo_aws }}"
    env: production
    action: apply
    plan_dir: "{{ stack.plan_dir }}"
    phase: foundation
    project_path: terraform
    data_dir: .cache/terraform/production
    backend: {bucket: lyo-production-tfstate, region: eu-south-1}
    phases:
      - {name: foundation, modules: [vpc]}
      - {name: application, modules: [application]}
  when: "'foundation' in stack.phases"
"""

RETURN = r"""
phases:
  description: Chosen phases that the plan changes, in their order.
  returned: O(action=plan)
  type: list
  elements: str
  sample: [foundation, application]
pending:
  description: Phases that the plan changes and that were not chosen, in their order.
  returned: O(action=plan)
  type: list
  elements: str
planned_at:
  description: When planning began, ISO 8601 in UTC.
  returned: O(action=plan)
  type: str
plan_dir:
  description: Folder of the saved plan, empty when there is nothing to apply. Removed at the end.
  returned: O(action=plan)
  type: str
changes:
  description: >-
    Resources that change, as C(phase), C(address), C(action) and C(attributes). For O(action=drift)
    only what the configuration has pending, without what puts drift back.
  returned: success
  type: list
  elements: dict
outputs:
  description: Names of the outputs that change.
  returned: O(action=plan)
  type: list
  elements: str
drift:
  description: >-
    What was changed outside Terraform, as C(address), C(attribute), C(current) and C(desired).
  returned: O(action=plan), O(action=drift)
  type: list
  elements: dict
drift_lines:
  description: RV(drift) for people, a line each.
  returned: O(action=plan)
  type: list
  elements: str
protections:
  description: What stood in the way of destroying, as C(address) and C(attribute).
  returned: O(action=lift)
  type: list
  elements: dict
destroyed:
  description: Addresses of what was destroyed; in check mode, of what would be.
  returned: O(action=destroy)
  type: list
  elements: str
kept:
  description: Backup vaults with recovery points, as C(address), C(arn), C(name) and C(region).
  returned: O(action=destroy)
  type: list
  elements: dict
applied:
  description: Phases that this task applied; empty when an earlier phase's apply covered them.
  returned: O(action=apply)
  type: list
  elements: str
regions:
  description: Every region that the state has resources in.
  returned: O(action=destroy)
  type: list
  elements: str
seconds:
  description: Duration of the apply.
  returned: O(action=apply), O(action=destroy)
  type: float
verdict:
  description: V(FAILED); of O(action=drift) V(DRIFTED) or V(UNCHANGED).
  returned: failure, O(action=drift)
  type: str
reasons:
  description: Why, one line each, for people.
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
            "action": {
                "type": "str",
                "choices": ["plan", "apply", "mark", "drift", "lift", "destroy"],
                "required": True,
            },
            "env": {"type": "str", "required": True},
            "project_path": {"type": "path", "required": True},
            "data_dir": {"type": "path", "required": True},
            "backend": {"type": "dict", "required": True},
            "var_files": {"type": "list", "elements": "path", "default": []},
            "variables": {"type": "dict", "default": {}},
            "phases": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "modules": {"type": "list", "elements": "str", "required": True},
                },
            },
            "chosen": {"type": "list", "elements": "str"},
            "plan_dir": {"type": "path"},
            "phase": {"type": "str"},
            "allow_destroy": {"type": "list", "elements": "str", "default": []},
            "marker": {
                "type": "dict",
                "options": {
                    "bucket": {"type": "str", "required": True},
                    # A name, not a secret.
                    "key": {"type": "str", "required": True, "no_log": False},
                    "state_key": {"type": "str", "default": "lyo.tfstate", "no_log": False},
                    "fingerprint": {"type": "str", "required": True},
                },
            },
            "terraform": {"type": "path", "default": "terraform"},
            "cli_config": {"type": "path"},
            "parallelism": {"type": "int", "default": 10},
            "lock_timeout_seconds": {"type": "int", "default": 30},
        },
        required_if=[
            ("action", "apply", ["plan_dir", "phase"]),
            ("action", "mark", ["marker"]),
            ("action", "drift", ["marker"]),
            ("action", "lift", ["marker"]),
            ("action", "destroy", ["marker"]),
        ],
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_terraform.run import run

    run(module)


if __name__ == "__main__":
    main()
