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
    A release that is already live needs no step.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: full
options:
  aws:
    description: Where and as whom to call AWS.
    type: dict
    required: true
    suboptions:
      region:
        description: Region of every call.
        type: str
        required: true
      account_id:
        description: The account the credentials must belong to. Checked before anything is written.
        type: str
        required: true
      endpoint_url:
        description: Address of a local cloud on this machine. Left out for AWS.
        type: str
      profile:
        description: Profile of the AWS configuration. By default botocore's usual search.
        type: str
      access_key:
        description: Access key, together with O(aws.secret_key), instead of a profile.
        type: str
      secret_key:
        description: Secret key.
        type: str
      session_token:
        description: Session token of temporary credentials.
        type: str
      ca_bundle:
        description: File of CA certificates to trust, for AWS and for HTTPS checks.
        type: path
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
  app:
    description: Where the application's sources are and how its image is built.
    type: dict
    required: true
    suboptions:
      path:
        description: Folder of the application.
        type: path
        required: true
      image_toml:
        description: Description of the image, relative to O(app.path).
        type: str
        default: image.toml
      builder:
        description: >-
          V(process) makes an OCI image without a container engine, for the local cloud;
          V(docker) builds O(app.dockerfile) with the docker command.
        type: str
        choices: [process, docker]
        default: process
      dockerfile:
        description: Dockerfile, relative to O(app.path).
        type: str
        default: Dockerfile
      dashboard:
        description: Folder of the static dashboard, relative to O(app.path). By default none.
        type: str
      default_release:
        description: Release taken when none is named and none is live.
        type: str
  outputs_parameter:
    description: SSM parameter with Terraform's outputs. By default C(/lyo/<env>/outputs).
    type: str
  task:
    description: What the task definition is made from, besides image and outputs.
    type: dict
    default: {}
    suboptions:
      cpu:
        description: CPU units of the task. By default the outputs' value.
        type: str
      memory:
        description: Memory of the task in MiB. By default the outputs' value.
        type: str
      architecture:
        description: Processor architecture the image is built for.
        type: str
        choices: [X86_64, ARM64]
        default: X86_64
      environment:
        description: Environment variables of the container.
        type: dict
        default: {}
      secrets:
        description: Variables from Secrets Manager or Parameter Store, name to ARN.
        type: dict
        default: {}
      command:
        description: Command of the container. By default the image's.
        type: list
        elements: str
      stop_timeout:
        description: Seconds between SIGTERM and SIGKILL.
        type: int
        default: 60
      health_command:
        description: Container health check, as C(healthCheck.command). By default none.
        type: list
        elements: str
  deployment:
    description: How a new revision takes over the traffic.
    type: dict
    default: {}
    suboptions:
      strategy:
        description: ECS's own deployment strategy.
        type: str
        choices: [BLUE_GREEN, CANARY, LINEAR]
        default: BLUE_GREEN
      bake_time_minutes:
        description: How long the old revision is kept running after the traffic moved.
        type: int
        default: 5
      canary_percent:
        description: Share of the first step, for V(CANARY).
        type: float
        default: 10.0
      canary_bake_time_minutes:
        description: Length of the first step, for V(CANARY).
        type: int
        default: 5
      linear_step_percent:
        description: Share of each step, for V(LINEAR).
        type: float
        default: 25.0
      linear_step_bake_time_minutes:
        description: Length of each step, for V(LINEAR).
        type: int
        default: 2
      pause_timeout_minutes:
        description: >-
          How long ECS waits at the hook for the smoke checks' result before it turns back by itself.
        type: int
        default: 30
      alarms:
        description: CloudWatch alarms that turn the deployment back.
        type: list
        elements: str
        default: []
      hooks:
        description: >-
          Further lifecycle hooks, in the API's form, besides the PAUSE hook of the checks.
        type: list
        elements: dict
        default: []
      max_failed_tasks:
        description: >-
          Turn back after this many tasks of the new revision have failed before it took traffic.
          ECS's own circuit breaker, which V(BLUE_GREEN) has too, acts when nobody watches.
        type: int
        default: 3
      healthy_timeout:
        description: Turn back when the new revision is not healthy after this many seconds.
        type: int
        default: 900
      timeout:
        description: Stop watching after this many seconds; the deployment goes on.
        type: int
        default: 7200
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
  in_progress:
    description: >-
      What to do when another release is just being deployed, V(refuse) it or V(wait) for its end.
    type: str
    choices: [refuse, wait]
    default: refuse
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
    V(verify).
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
    C(strategy) and C(task_definition) (ARN of an existing equal revision, else empty).
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import (
    app_spec,
    deployment_spec,
    infra_spec,
    task_spec,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "release": {"type": "str"},
            "image": {"type": "str"},
            "app": app_spec(required=True),
            "outputs_parameter": {"type": "str"},
            "task": task_spec(),
            "deployment": deployment_spec(),
            "infra": infra_spec(),
            "in_progress": {"type": "str", "choices": ["refuse", "wait"], "default": "refuse"},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_release.run_plan import run

    run(module)


if __name__ == "__main__":
    main()
