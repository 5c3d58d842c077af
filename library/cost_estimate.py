#!/usr/bin/python
"""Estimate what an environment costs a month: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cost_estimate
short_description: Estimate what an environment costs a month
version_added: "0.1.0"
description:
  - >-
    Prices every resource of an environment with the dated tables of O(tables), compares the sum
    with the budget line by line, and says what could be saved and what each saving gives up.
  - >-
    V(plan) takes the resources from the configuration and a file of variables, planned by
    Terraform with a mocked provider: no credentials, no AWS. V(state) takes what is deployed, from
    Terraform's state.
  - A resource that no price covers is listed, never counted as nothing.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Estimates, but does not write O(output_file).
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment: [lyo]
options:
  aws:
    description: Where and as whom to call AWS. Needed for O(source=state) only.
    required: false
  env:
    description: Name of the environment.
    type: str
    required: true
  source:
    description: Where the resources come from.
    type: str
    choices: [plan, state]
    default: plan
  tables:
    description: Folder of the tables C(aws.toml), C(usage.toml), C(budget.toml) and others.
    type: path
    required: true
  usage:
    description: Assumptions that differ from C(usage.toml), name to value.
    type: dict
    default: {}
  plan:
    description: For O(source=plan), how to plan.
    type: dict
    suboptions:
      terraform:
        description: The Terraform command.
        type: path
        default: terraform
      project_path:
        description: Folder of the root module.
        type: path
        required: true
      var_file:
        description: File with the values of variables.
        type: path
        required: true
      data_dir:
        description: Folder of what Terraform keeps between runs. No other run may use it.
        type: path
        required: true
  state:
    description: For O(source=state), where Terraform's state is.
    type: dict
    suboptions:
      bucket:
        description: Bucket of the state.
        type: str
        required: true
      key:
        description: Key of the state.
        type: str
        default: lyo.tfstate
  width:
    description: Columns that RV(text) may take.
    type: int
    default: 78
  output_file:
    description: File to write RV(report) to, as JSON. By default none.
    type: path
"""

EXAMPLES = r"""
- name: What production would cost, as written down
  cost_estimate:
    env: production
    tables: prices
    plan:
      project_path: terraform
      var_file: terraform/production.tfvars
      data_dir: .cache/terraform/cost

- name: What is deployed
  cost_estimate:
    aws: "{{ lyo_aws }}"
    env: production
    source: state
    tables: prices
    state: {bucket: lyo-production-123456789012-tfstate}
"""

RETURN = r"""
report:
  description: >-
    The whole report, as C(total), C(budget), C(over_budget), C(lines), C(comparison),
    C(not_priced), C(savings), C(reach_budget), C(usage) and C(prices_as_of). Amounts are USD a month.
  returned: success
  type: dict
text:
  description: The report for a terminal, a line an element.
  returned: success
  type: list
  elements: str
summary:
  description: Total and budget in one line.
  returned: success
  type: str
  sample: about 222.35 USD a month, 45.35 over the budget of 177.00
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "aws": {**aws_argument_spec()["aws"], "required": False},
            "env": {"type": "str", "required": True},
            "source": {"type": "str", "choices": ["plan", "state"], "default": "plan"},
            "tables": {"type": "path", "required": True},
            "usage": {"type": "dict", "default": {}},
            "plan": {
                "type": "dict",
                "options": {
                    "terraform": {"type": "path", "default": "terraform"},
                    "project_path": {"type": "path", "required": True},
                    "var_file": {"type": "path", "required": True},
                    "data_dir": {"type": "path", "required": True},
                },
            },
            "state": {
                "type": "dict",
                "options": {
                    "bucket": {"type": "str", "required": True},
                    # A name, not a secret.
                    "key": {"type": "str", "default": "lyo.tfstate", "no_log": False},
                },
            },
            "width": {"type": "int", "default": 78},
            "output_file": {"type": "path"},
        },
        required_if=[("source", "plan", ["plan"]), ("source", "state", ["aws", "state"])],
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_cost.run import run

    run(module)


if __name__ == "__main__":
    main()
