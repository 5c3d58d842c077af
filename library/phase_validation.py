#!/usr/bin/python
"""Validate phases of the infrastructure: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phase_validation
short_description: Check that phases of the infrastructure are as they should be
version_added: "0.1.0"
description:
  - >-
    Reads from AWS, and from outside, what a phase consists of, and fails with what is and what
    should be. It knows neither Terraform nor its state, so it also finds what Terraform does not
    know. Changes nothing.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
extends_documentation_fragment: [lyo]
options:
  env:
    description: Name of the environment, its resources' tag C(Environment).
    type: str
    required: true
  name:
    description: What the names of the environment's resources begin with.
    type: str
    required: true
  phases:
    description: The phases to validate.
    type: list
    elements: str
    choices: [foundation, database, application, security_and_monitoring, dns_and_tls]
    required: true
  ca_bundle:
    description: CAs that the environment's certificates come from, by default O(aws.ca_bundle).
    type: path
  since:
    description: >-
      When the run planned, as RV(terraform_stack#module:planned_at). An alarm that rang before is
      not held against what was applied. Without it, every alarm counts that rings.
    type: str
  expected:
    description: What differs between environments. The defaults are production's.
    type: dict
    default: {}
    suboptions:
      multi_az:
        description: Database and cache stand in two zones and fail over.
        type: bool
        default: true
      deletion_protection:
        description: The database is protected from deletion.
        type: bool
        default: true
      database_tls:
        description: The database refuses connections without TLS.
        type: bool
        default: true
      cache_tls:
        description: The cache refuses connections without TLS.
        type: bool
        default: true
      backup_days:
        description: Days of automated backups of the database, at least.
        type: int
        default: 7
      aws_backup:
        description: AWS Backup has a vault, and a plan that selects something.
        type: bool
        default: true
      flow_logs:
        description: The VPC's flow logs are on.
        type: bool
        default: true
      min_tasks:
        description: Tasks that scaling keeps, at least.
        type: int
        default: 2
      firewall:
        description: A web ACL with logging is in front of the load balancer.
        type: bool
        default: true
      guardduty:
        description: GuardDuty is on in the region.
        type: bool
        default: true
      alarms:
        description: There are alarms, and each tells somebody.
        type: bool
        default: true
      quiet:
        description: >-
          No alarm is in ALARM once tasks run; those of the error budget, which look back for days,
          do not count.
        type: bool
        default: true
      critical_subscription:
        description: Somebody has confirmed a subscription of the critical topic.
        type: bool
        default: true
      zone:
        description: There is a hosted zone with records of api and dashboard, and a health check.
        type: bool
        default: true
      delegation:
        description: The world is told the zone's name servers. Asks the system's resolver.
        type: bool
        default: true
      certificate_days:
        description: Days that every certificate is still valid, at least.
        type: int
        default: 21
      http_port:
        description: Port at which the outside reaches plain HTTP.
        type: int
        default: 80
"""

EXAMPLES = r"""
- name: The stores are as they should be
  phase_validation:
    aws: "{{ lyo_aws }}"
    env: staging
    name: lyo-staging
    phases: [database]
    expected: {multi_az: false, deletion_protection: false}
"""

RETURN = r"""
phases:
  description: The phases that are as they should be.
  returned: success
  type: list
  elements: str
verdict:
  description: V(FAILED).
  returned: failure
  type: str
reasons:
  description: What is, and what should be, one line each, for people.
  returned: failure
  type: list
  elements: str
  sample: ["database: database lyo-staging StorageEncrypted is False, should be True"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec

PHASES = ["foundation", "database", "application", "security_and_monitoring", "dns_and_tls"]
EXPECTED = {
    "multi_az": True,
    "deletion_protection": True,
    "database_tls": True,
    "cache_tls": True,
    "backup_days": 7,
    "aws_backup": True,
    "flow_logs": True,
    "min_tasks": 2,
    "firewall": True,
    "guardduty": True,
    "alarms": True,
    "quiet": True,
    "critical_subscription": True,
    "zone": True,
    "delegation": True,
    "certificate_days": 21,
    "http_port": 80,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "env": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "phases": {"type": "list", "elements": "str", "choices": PHASES, "required": True},
            "ca_bundle": {"type": "path"},
            "since": {"type": "str"},
            "expected": {
                "type": "dict",
                "default": {},
                "apply_defaults": True,
                "options": {
                    name: {"type": type(value).__name__, "default": value}
                    for name, value in EXPECTED.items()
                },
            },
        },
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_phases.run import run

    run(module)


if __name__ == "__main__":
    main()
