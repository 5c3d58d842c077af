#!/usr/bin/python
"""Check what answers at HTTP addresses: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_checks
short_description: Check what answers at HTTP addresses
version_added: "0.1.0"
description:
  - >-
    Sends requests and compares the answers. Secrets are read from Secrets Manager inside
    the module and never shown.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: none
extends_documentation_fragment: [lyo, lyo.checks]
options:
  aws:
    description: Where and as whom to call AWS. Needed only where a check uses a secret.
    required: false
  base_url:
    description: Address that the paths are below.
    type: str
  ca_bundle:
    description: File of CA certificates to trust. By default O(aws.ca_bundle), else the system's.
    type: path
"""

EXAMPLES = r"""
- name: Verify
  http_checks:
    aws: "{{ lyo_aws }}"
    base_url: "{{ plan.outputs.api_url }}"
    checks:
      - name: health
        path: /health
        json: {status: ok}
      - name: a wrong signature is refused
        path: /webhook
        method: POST
        body: {object: whatsapp_business_account}
        signature:
          app_secret: {arn: "{{ plan.outputs.whatsapp_secret_arn }}", key: app_secret}
          wrong: true
        status: [401, 403]
"""

RETURN = r"""
results:
  description: One entry a check, in order.
  returned: always
  type: list
  elements: dict
  sample: [{name: health, ok: true, status: 200, attempts: 1, milliseconds: 12, message: ""}]
reasons:
  description: What failed, one line each, for people.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import checks_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "aws": {**aws_argument_spec()["aws"], "required": False},
            "checks": checks_spec(required=True),
            "base_url": {"type": "str"},
            "ca_bundle": {"type": "path"},
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_checks import run

    run(module)


if __name__ == "__main__":
    main()
