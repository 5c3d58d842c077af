#!/usr/bin/python
"""Say which steps a release needs: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_plan
short_description: Say which steps a release needs
version_added: "0.1.0"
description:
  - >-
    Reads the live state once and returns the steps that are needed, in their order, with
    the reasons. Writes nothing.
  - >-
    A release that is already live needs no step. One that the database's schema no longer serves,
    because it was contracted since, is refused.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: full
extends_documentation_fragment: [lyo, lyo.app, lyo.task, lyo.deployment, lyo.in_progress]
options:
  env:
    description: Name of the environment.
    type: str
    required: true
  release:
    description: Release to deploy. By default the live one, else O(app.default_release).
    type: str
  image:
    description: >-
      Image built elsewhere, as address, tag or digest. It must exist in the repository.
    type: str
  live:
    description: >-
      Whether to plan for exactly the image that is live, where neither O(release) nor O(image) says another:
      whatever the application's folder would build of that release, or if it does not know it.
    type: bool
    default: false
  app:
    required: true
  outputs_parameter:
    description: SSM parameter with Terraform's outputs. By default C(/lyo/<env>/outputs).
    type: str
  ledger:
    description: Where the runs are on record.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      prefix:
        description: Folder of the ledger in it.
        type: str
        default: ledger/
  force_schema:
    description: >-
      Release, image digest or task definition that may run on a schema that was contracted since it was
      built. Naming another than the one that is deployed forces nothing.
    type: str
  infra:
    description: What decides whether Terraform has to plan.
    type: dict
    default: {}
    suboptions:
      force:
        description: >-
          V(auto) plans unless the last empty plan is recent and nothing it depends on has changed,
          V(plan) always, V(skip) never.
        type: str
        choices: [auto, plan, skip]
        default: auto
      paths:
        description: Files and folders the plan depends on.
        type: list
        elements: path
        default: []
      variables:
        description: Values of variables that the plan is given besides, not secret.
        type: dict
        default: {}
      max_age_hours:
        description: Age at which an empty plan no longer counts.
        type: int
        default: 24
      bucket:
        description: Bucket of Terraform's state.
        type: str
      state_key:
        description: Key of Terraform's state.
        type: str
        default: lyo.tfstate
      marker_key:
        description: Key of the marker that the last empty plan left.
        type: str
        default: lyo.plan.json
  webhooks:
    description: >-
      What the webhooks at Meta are registered by. Without it they are not looked at.
    type: dict
    suboptions:
      prefix:
        description: Folder of their records in the bucket of O(infra).
        type: str
        default: webhooks/
      callback_path:
        description: Path of the webhook below the API's address.
        type: str
        default: /webhook
      graph_version:
        description: Version of Meta's Graph API.
        type: str
        required: true
      token_version:
        description: What the inventory calls the present verify token.
        type: str
        default: "1"
  compare:
    description: >-
      Return RV(comparison) too: what a deploy would change, in full. Costs the calls that read both
      images.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Plan
  release_plan:
    aws: "{{ lyo_aws }}"
    env: "{{ lyo_env }}"
    release: "{{ release | default(omit) }}"
    image: "{{ image | default(omit) }}"
    app:
      path: examples/booking
      default_release: v1
  register: plan
"""

RETURN = r"""
steps:
  description: >-
    Steps that are needed, of V(infra), V(image), V(migrate), V(deploy), V(watch), V(dashboard),
    V(verify), V(webhooks).
  returned: always
  type: list
  elements: str
  sample: [image, migrate, deploy, verify]
verdict_if_nothing:
  description: V(UNCHANGED) when nothing is to do, else empty.
  returned: always
  type: str
reasons:
  description: Why each step is needed, one line each, for people.
  returned: always
  type: list
  elements: str
current:
  description: >-
    The live state, as C(release), C(image), C(task_definition), C(desired), C(running),
    C(deployment) (ARN in progress, else empty), C(deployment_status) and C(deployment_release).
  returned: always
  type: dict
wanted:
  description: >-
    What was asked for, as C(release), C(image) (with digest, empty until built), C(tag),
    C(strategy), C(task_definition) (ARN of an existing equal revision, else empty) and C(schema) (revisions
    of the schema that the release runs on).
  returned: always
  type: dict
outputs:
  description: Terraform's outputs, empty before the infrastructure exists.
  returned: always
  type: dict
infra_fingerprint:
  description: Fingerprint of what a Terraform plan depends on.
  returned: always
  type: str
comparison:
  description: >-
    What a deploy would change, as C(name) (V(task definition), V(image), V(service)), C(before),
    C(after) and C(lines), a unified diff; only parts that differ.
  returned: when O(compare=true)
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import (
    app_spec,
    deployment_spec,
    infra_spec,
    ledger_spec,
    task_spec,
    webhooks_spec,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "release": {"type": "str"},
            "image": {"type": "str"},
            "live": {"type": "bool", "default": False},
            "app": app_spec(required=True),
            "outputs_parameter": {"type": "str"},
            "task": task_spec(),
            "deployment": deployment_spec(),
            "infra": infra_spec(),
            "compare": {"type": "bool", "default": False},
            "webhooks": webhooks_spec(),
            "ledger": ledger_spec(),
            "force_schema": {"type": "str"},
            "in_progress": {"type": "str", "choices": ["refuse", "wait"], "default": "refuse"},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_release.run_plan import run

    run(module)


if __name__ == "__main__":
    main()
