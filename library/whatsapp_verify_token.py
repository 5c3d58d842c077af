#!/usr/bin/python
"""Change the verify token of WhatsApp's webhooks: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: whatsapp_verify_token
short_description: Begin or end the change of the verify token of WhatsApp's webhooks
version_added: "0.1.0"
description:
  - >-
    V(begin) puts a new token before the present one into the app's secret. Tasks of the application
    that start from then on accept both. While a change is under way it does nothing.
  - >-
    V(end) takes the former token away, once the new one is registered at Meta for every tenant.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: There is nothing that may be shown.
    support: none
extends_documentation_fragment: [lyo]
options:
  secret:
    description: Secret of the app, JSON with C(app_secret) and C(verify_token).
    type: str
    required: true
  state:
    description: What to do.
    type: str
    choices: [begin, end]
    required: true
  store:
    description: Where it is kept what has been registered.
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
        description: Not used here.
        type: str
  next:
    description: Commands to type next, for the end of the run.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: A new verify token
  whatsapp_verify_token:
    aws: "{{ lyo_aws }}"
    secret: lyo-production/whatsapp
    state: begin
    store: {bucket: lyo-production-123456789012-tfstate}
"""

RETURN = r"""
tokens:
  description: How many tokens the application's next tasks accept.
  returned: success
  type: int
  sample: 2
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_webhooks.options import store_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            # A name.
            "secret": {"type": "str", "required": True, "no_log": False},
            "state": {"type": "str", "choices": ["begin", "end"], "required": True},
            "store": store_spec(),
            "next": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_webhooks.rotate import run

    run(module)


if __name__ == "__main__":
    main()
