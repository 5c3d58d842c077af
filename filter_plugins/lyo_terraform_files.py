"""Whether Terraform's files of an environment mean the account that the inventory means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCUMENTATION = """
name: lyo_terraform_files
short_description: Compare Terraform's files of an environment with the inventory
version_added: "1.0"
description:
  - The runbooks give Terraform the inventory's account and region; somebody who types Terraform gets
    those of C(<env>.tfvars) and the state of C(<env>.s3.tfbackend). Both must mean the same.
  - Only reads the two files.
positional: env, folder, bucket
options:
  _input:
    description: C(lyo_aws) of the inventory, with C(account_id) and C(region).
    type: dict
    required: true
  env:
    description: The environment.
    type: str
    required: true
  folder:
    description: The folder of the root module, where the two files are.
    type: path
    required: true
  bucket:
    description: The bucket of the Terraform state, as the runbooks use it.
    type: str
    required: true
"""

EXAMPLES = """
- name: Refuse files of another account
  ansible.builtin.fail:
    msg: "{{ lyo_aws | lyo_terraform_files('staging', 'terraform', lyo_state_bucket) }}"
"""

RETURN = """
_value:
  description: The problem, naming both files; empty when they agree.
  type: str
"""

# A top-level line of HCL; what is inside a block is indented.
ASSIGNMENT = re.compile(r'^(\w+)\s*=\s*"([^"]*)"', re.MULTILINE)


def assigned(text: str) -> dict[str, str]:
    """The top-level `name = "text"` lines of a tfvars or backend file."""
    return dict(ASSIGNMENT.findall(text))


def lyo_terraform_files(aws: Mapping[str, Any], env: str, folder: str, bucket: str) -> str:
    """What Terraform's files say otherwise than the inventory; empty when they agree."""
    inventory = f"inventories/{env}/group_vars/{env}/aws.yml"
    place = Path(folder)
    account, region = aws["account_id"], aws["region"]
    for name, wanted in {
        f"{env}.tfvars": {"environment": env, "account_id": account, "region": region},
        f"{env}.s3.tfbackend": {"bucket": bucket, "region": region},
    }.items():
        shown = f"{place.name}/{name}"
        try:
            found = assigned((place / name).read_text(encoding="utf-8"))
        except OSError:
            return f"{shown} cannot be read. It must be there, and mean what {inventory} means."
        for key, value in wanted.items():
            if found.get(key) != value:
                return (
                    f"{shown} and {inventory} disagree: {key} is '{found.get(key, '')}' in the "
                    f"first, '{value}' follows from the second. Correct the wrong one and run this "
                    "again."
                )
    return ""


class FilterModule:
    """Filter of the guard."""

    def filters(self) -> dict[str, Any]:
        """The filter by name."""
        return {"lyo_terraform_files": lyo_terraform_files}
