#!/usr/bin/python
"""Register WhatsApp's webhooks at Meta: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: whatsapp_webhooks
short_description: Register WhatsApp's webhooks at Meta, for all tenants
version_added: "0.1.0"
description:
  - >-
    Brings the webhooks of the app, of every WhatsApp Business Account and of every phone number to
    what is wanted: reads all of it, keeps what it read, writes the differences, reads them back, and
    proves that a signed message reaches the application's log for its tenant.
  - >-
    A tenant whose calls fail is told with Meta's code and a remedy; the others are done. It fails if
    any tenant is not as wanted.
  - >-
    Run again after it was killed or stopped by a limit, it goes on from what Meta has.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Reads, and says what would be written; writes nothing.
    support: full
  diff_mode:
    description: Shows each write and why.
    support: full
extends_documentation_fragment: [lyo, lyo.task]
options:
  env:
    description: Name of the environment.
    type: str
    required: true
  outputs:
    description: Terraform's outputs. By default they are read from C(/lyo/<env>/outputs).
    type: dict
    default: {}
  graph:
    description: Meta's Graph API.
    type: dict
    required: true
    suboptions:
      url:
        description: >-
          Its address, V(https://graph.facebook.com); for C(env=local) a double on this machine.
        type: str
        required: true
      version:
        description: Version, as V(v26.0). One that has ended is refused, half a year before it is warned of.
        type: str
        required: true
      concurrency:
        description: Calls under way at the same time.
        type: int
        default: 24
      rate:
        description: Calls a second to begin with; Meta's usage headers change it.
        type: float
        default: 100.0
      max_rate:
        description: Calls a second at most.
        type: float
        default: 250.0
      attempts:
        description: How often a call is made that fails for the moment.
        type: int
        default: 6
      timeout:
        description: Seconds one call may take.
        type: float
        default: 30.0
      patience:
        description: Seconds a call waits for limits altogether, before its tenant is left to the next run.
        type: float
        default: 900.0
  callback_url:
    description: Where Meta sends messages. By default O(callback_path) below the output C(api_url).
    type: str
  callback_path:
    description: Path of the webhook below the API's address.
    type: str
    default: /webhook
  fields:
    description: What the app has to be told of. What it is told of besides stays.
    type: list
    elements: str
    default: [messages]
  level:
    description: >-
      Where the route of a tenant is set that names none, V(account) by an override of the account,
      V(number) of each number, V(app) by the app's own URL alone.
    type: str
    choices: [account, number, app]
    default: account
  other_apps:
    description: Ids of apps that may be subscribed to an account besides this one.
    type: list
    elements: str
    default: []
  secret:
    description: >-
      Secret of the app, JSON with C(app_id), C(app_secret) and C(verify_token). The first word of
      C(verify_token) is registered; the application accepts all of them. By default the output
      C(whatsapp_secret_arn).
    type: str
  token:
    description: >-
      Access token of tenants that name none, as C(secret#key). By default the key C(access_token)
      of O(secret).
    type: str
  tenants:
    description: Where the list of tenants is.
    type: dict
    required: true
    suboptions:
      file:
        description: File on this machine, YAML, JSON, JSON lines or CSV by its ending.
        type: path
      partial:
        description: >-
          There are tenants that are not on this list. What is remembered of them stays, and the whole
          registration counts as complete only if theirs was.
        type: bool
        default: false
      s3:
        description: Object in S3, of the same forms.
        type: dict
        suboptions:
          bucket:
            description: Its bucket.
            type: str
            required: true
          key:
            description: Its key.
            type: str
            required: true
      database:
        description: >-
          The application's database, asked by a one-off task that prints a JSON object a line and
          C({"rows": <how many>}) at the end.
        type: dict
        suboptions:
          command:
            description: Command of the image.
            type: list
            elements: str
            default: [export]
          query:
            description: Its last argument, the query.
            type: str
          timeout:
            description: Seconds to wait for the task.
            type: int
            default: 300
  task:
    description: >-
      What the task is made from that asks the database, as for the module ecs_run_task. Command and health
      check are not used.
  skip_invalid:
    description: >-
      Leave out tenants whose entry or token is wrong, tell them as failed and do the others. By
      default nothing is called then.
    type: bool
    default: false
  store:
    description: Where it is kept what was registered before, and what the last run has registered.
    type: dict
    required: true
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      prefix:
        description: Folder in it.
        type: str
        default: webhooks/
      kms_key:
        description: KMS key of the objects. By default the account's key for S3.
        type: str
  token_version:
    description: >-
      What the inventory calls the present verify token. A deploy registers again when it changes.
    type: str
    default: "1"
  restore:
    description: >-
      Record to bring back instead of what is wanted, as a run has named it, or V(last), what was
      registered before the last change began.
    type: str
  prove:
    description: >-
      Whose way is proven by a signed message, V(changed) those that were written, V(all), or V(none).
    type: str
    choices: [changed, all, none]
    default: changed
  prove_timeout:
    description: Seconds in which the messages have to be in the log.
    type: float
    default: 120.0
  consistency_timeout:
    description: Seconds in which what was written has to be readable.
    type: float
    default: 60.0
  begin:
    description: >-
      Only read, and return with RV(pending) if there is something to write, so that the run can be
      locked before a second task writes.
    type: bool
    default: false
  reread:
    description: Read again what a task with O(begin) has read before in this run.
    type: bool
    default: false
  summary:
    description: Whether the end of the run is about the webhooks.
    type: bool
    default: true
  report_file:
    description: File that gets every number with its route and outcome, as CSV.
    type: path
  max_lines:
    description: Failing tenants, and predicted writes, that are named in the output.
    type: int
    default: 20
  ca_bundle:
    description: CA certificates for the callback URL. By default O(aws.ca_bundle), else the system's.
    type: path
"""

EXAMPLES = r"""
- name: Webhooks
  whatsapp_webhooks:
    aws: "{{ lyo_aws }}"
    env: production
    graph:
      url: https://graph.facebook.com
      version: v26.0
    tenants: {file: tenants.csv}
    store: {bucket: lyo-production-123456789012-tfstate}
"""

RETURN = r"""
verdict:
  description: >-
    V(UNCHANGED), V(REGISTERED), V(RESTORED), V(PREDICTED) or V(FAILED).
  returned: always
  type: str
  sample: REGISTERED
reasons:
  description: Failing tenants with remedies; what would be written in check mode.
  returned: always
  type: list
  elements: str
pending:
  description: Whether O(begin) has left something to write.
  returned: when tenants were read
  type: bool
table:
  description: The summary, a line an element.
  returned: when tenants were read
  type: list
  elements: str
writes:
  description: Writes to Meta that were needed.
  returned: when tenants were read
  type: int
kept:
  description: Key of the record of what was registered before, empty where nothing was written.
  returned: when tenants were read
  type: str
counts:
  description: Calls to Meta, as C(calls), C(writes), C(retried), C(limited).
  returned: when tenants were read
  type: dict
routes:
  description: Where the messages of numbers go, the first O(max_lines) of them.
  returned: when tenants were read
  type: list
  elements: dict
  sample: [{tenant: da-mario, waba_id: "102290129340398", phone_number_id: "106540352242922",
            level: account, url: "https://api.lyo.example/webhook"}]
failing:
  description: Tenants that are not as wanted, with C(code), C(message) and C(remedy); 1,000 at most.
  returned: when tenants were read
  type: dict
report_file:
  description: File with all of it, empty without one.
  returned: when tenants were read
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import task_spec
from ansible.module_utils.lyo_webhooks.options import graph_spec, store_spec, tenants_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "outputs": {"type": "dict", "default": {}},
            "graph": graph_spec(),
            "callback_url": {"type": "str"},
            "callback_path": {"type": "str", "default": "/webhook"},
            "fields": {"type": "list", "elements": "str", "default": ["messages"]},
            "level": {"type": "str", "choices": ["account", "number", "app"], "default": "account"},
            "other_apps": {"type": "list", "elements": "str", "default": []},
            # Names of secrets, and of a version: not secret themselves.
            "secret": {"type": "str", "no_log": False},
            "token": {"type": "str", "no_log": False},
            "tenants": tenants_spec(),
            "task": task_spec(),
            "skip_invalid": {"type": "bool", "default": False},
            "store": store_spec(),
            "token_version": {"type": "str", "default": "1", "no_log": False},
            "restore": {"type": "str"},
            "prove": {"type": "str", "choices": ["changed", "all", "none"], "default": "changed"},
            "prove_timeout": {"type": "float", "default": 120.0},
            "consistency_timeout": {"type": "float", "default": 60.0},
            "begin": {"type": "bool", "default": False},
            "reread": {"type": "bool", "default": False},
            "summary": {"type": "bool", "default": True},
            "report_file": {"type": "path"},
            "max_lines": {"type": "int", "default": 20},
            "ca_bundle": {"type": "path"},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_webhooks.run import run

    run(module)


if __name__ == "__main__":
    main()
