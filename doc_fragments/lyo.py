"""Documentation that several modules share: `extends_documentation_fragment: [lyo, lyo.task]`."""

from __future__ import annotations


class ModuleDocFragment:
    """Each attribute is one fragment; `DOCUMENTATION` is the one every module extends."""

    # Where to call AWS, and what every module supports.
    DOCUMENTATION = r"""
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
      fence:
        description: >-
          The environment's lock as this run holds it, RV(run_lock#module:fence). Every write is
          refused once another run has taken over.
        type: dict
        suboptions:
          bucket:
            description: Bucket of the lock.
            type: str
            required: true
          key:
            description: Key of the lock.
            type: str
            required: true
          token:
            description: Token of the run.
            type: int
            required: true
"""

    # Terraform's outputs.
    OUTPUTS = r"""
options:
  outputs:
    description: The content of the parameter C(/lyo/<env>/outputs) that Terraform writes.
    type: dict
    required: true
"""

    # Which environment's service is meant.
    PLACE = r"""
options:
  env:
    description: Name of the environment.
    type: str
    required: true
  outputs_parameter:
    description: Parameter with Terraform's outputs. By default C(/lyo/<env>/outputs).
    type: str
"""

    # What a task definition is made from.
    TASK = r"""
options:
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
"""

    # How a revision takes over the traffic.
    DEPLOYMENT = r"""
options:
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
"""

    # What a deployment of somebody else is to who wants one.
    IN_PROGRESS = r"""
options:
  in_progress:
    description: >-
      What to do when another release is just being deployed, V(refuse) it or V(wait) for its end.
    type: str
    choices: [refuse, wait]
    default: refuse
"""

    # The application that images are built from.
    APP = r"""
options:
  app:
    description: Where the application's sources are and how its image is built.
    type: dict
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
"""

    # Checks before production traffic moves.
    SMOKE = r"""
options:
  smoke:
    description: Checks at the hook, before production traffic moves.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the check, as the reader knows it.
        type: str
        required: true
      url:
        description: The whole address.
        type: str
      path:
        description: Path below the base address.
        type: str
      method:
        description: HTTP method.
        type: str
        default: GET
      headers:
        description: Headers to send.
        type: dict
        default: {}
      secret_headers:
        description: Headers whose values are secrets, name to a dict of C(arn) and C(key).
        type: dict
        default: {}
      body:
        description: Body to send. Anything but a string is sent as JSON.
        type: raw
      status:
        description: Status codes that are right.
        type: list
        elements: int
        default: [200]
      json:
        description: What the JSON answer must contain, other members are ignored.
        type: dict
      contains:
        description: Text that the answer must contain.
        type: str
      timeout:
        description: Seconds one request may take.
        type: float
        default: 5.0
      attempts:
        description: How often to try before the check has failed.
        type: int
        default: 5
      delay:
        description: Seconds between two attempts.
        type: float
        default: 1.0
      handshake:
        description: Ask as Meta does when it verifies a webhook, and expect the challenge back.
        type: dict
        suboptions:
          verify_token:
            description: Secret with the verify token.
            type: dict
            required: true
            suboptions:
              arn:
                description: ARN or name of the secret.
                type: str
                required: true
              key:
                description: Key of a JSON secret.
                type: str
          wrong:
            description: Send a wrong token. Set O(smoke.status) to what is expected then.
            type: bool
            default: false
      signature:
        description: Sign the body as Meta does (C(X-Hub-Signature-256)).
        type: dict
        suboptions:
          app_secret:
            description: Secret with the app secret.
            type: dict
            required: true
            suboptions:
              arn:
                description: ARN or name of the secret.
                type: str
                required: true
              key:
                description: Key of a JSON secret.
                type: str
          wrong:
            description: Send a wrong signature. Set O(smoke.status) to what is expected then.
            type: bool
            default: false
"""

    # The same options for checks of what the outside reaches, made while old tasks are stopped.
    OUTSIDE = SMOKE.replace("  smoke:", "  outside:").replace(
        "Checks at the hook, before production traffic moves.",
        "Checks of what the outside reaches, below the outputs' C(api_url), each made once while the old"
        " tasks are being stopped. They decide nothing; RV(verified) says whether all were right.",
    )

    # The same for a list that has to be there.
    CHECKS = (
        SMOKE.replace("  smoke:", "  checks:")
        .replace("Checks at the hook, before production traffic moves.", "The checks, in order.")
        .replace("    default: []\n    suboptions:", "    required: true\n    suboptions:", 1)
        .replace("O(smoke.", "O(checks.")
    )

    # How tasks of the ops program run.
    PROGRAM = r"""
options:
  program:
    description: >-
      How the ops program runs, which dumps, restores and compares logical backups, and runs pg_amcheck.
    type: dict
    default: {}
    suboptions:
      image:
        description: The ops image. By default that of the task definition C(<name>-ops).
        type: str
      container:
        description: Name of the container.
        type: str
        default: ops
      cpu:
        description: CPU units of the task.
        type: str
        default: "1024"
      memory:
        description: Memory of the task in MiB.
        type: str
        default: "2048"
      architecture:
        description: Processor architecture the image is built for.
        type: str
        choices: [X86_64, ARM64]
        default: X86_64
      jobs:
        description: Parts that are dumped or restored at once.
        type: int
        default: 2
      sslmode:
        description: libpq's C(sslmode).
        type: str
        default: verify-full
      prefix:
        description: What the keys of logical backups begin with.
        type: str
        default: logical/
      environment:
        description: Further environment variables.
        type: dict
        default: {}
      timeout:
        description: Seconds to watch one task. It is not stopped; the same command again watches on.
        type: int
        default: 14400
"""

    # How something is restored and looked at.
    RESTORED = r"""
options:
  name:
    description: What the names of the environment's instances begin with, C(lyo-<env>).
    type: str
    required: true
  state:
    description: Where Terraform's state is, which says what an instance has to be like.
    type: dict
    required: true
    suboptions:
      bucket:
        description: Bucket of the state.
        type: str
        required: true
      key:
        description: Key of the state.
        type: str
        default: lyo.tfstate
      marker_key:
        description: Key of the note of the last empty plan, which a switch makes void.
        type: str
        default: lyo.plan.json
      drills_prefix:
        description: Folder of what came of the last drill.
        type: str
        default: drills/
  image:
    description: Image, with digest, whose commands look at what was restored.
    type: str
    default: ''
  release:
    description: Name of the release that will use it.
    type: str
    default: ''
  checks:
    description: Commands of the image that only read; each runs as a one-off task.
    type: dict
    default: {}
    suboptions:
      plan:
        description: >-
          Says where the schema is (a last line C(lyo.schema:) with JSON); exit code 0, or 3 where migrations are
          pending.
        type: list
        elements: str
      count:
        description: >-
          Prints a JSON object a line with C(name) and C(rows) for each table, and at the end C({"rows":N}), how
          many lines there were.
        type: list
        elements: str
  check_timeout:
    description: Seconds that such a task may take.
    type: int
    default: 900
  timeout:
    description: Seconds that RDS may take to restore. The same run again waits on.
    type: int
    default: 7200
"""
