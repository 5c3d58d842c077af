"""The guard's decision: may this run touch the environment that it names?"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DOCUMENTATION = """
name: lyo_guard
short_description: Say what is wrong with the target of a run
version_added: "1.0"
description:
  - Decides, before anything is called, whether a run may touch the environment it names.
  - Finds a missing or unknown environment, one that differs from what C(--limit) or C(lyo_env) says,
    an account id or region that was never set, a region or endpoint in the shell that is not the
    inventory's, and a local cloud that is not up.
positional: groups, env, hosts, runbook, offline
options:
  _input:
    description: The C(hostvars) of the run.
    type: dict
    required: true
  groups:
    description: The C(groups) of the run.
    type: dict
    required: true
  env:
    description: The environment that was asked for; empty when none was.
    type: str
    required: true
  hosts:
    description: The hosts that C(--limit) left to the play.
    type: list
    elements: str
    required: true
  runbook:
    description: The file that was started, for the command in the message.
    type: str
    required: true
  offline:
    description: >-
      The run calls nobody: only its environment is looked at, so it needs neither an account nor a
      local cloud that is up.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Refuse a wrong target
  ansible.builtin.fail:
    msg: "{{ hostvars | lyo_guard(groups, env | default(''), ansible_play_hosts_all, 'deploy.yml') }}"
"""

RETURN = """
_value:
  description: The problem, with the command to type; empty when there is none.
  type: str
"""

ACCOUNT_ID = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
ROOT = Path(__file__).resolve().parent.parent

HostVars = Mapping[str, Any]
Groups = Mapping[str, Sequence[str]]


def environments(hostvars: HostVars, groups: Groups) -> list[str]:
    """Groups that are an environment: those whose hosts all come from `inventories/<group>/`."""
    return sorted(
        group
        for group, hosts in groups.items()
        if hosts
        and all(
            str(hostvars[host].get("inventory_dir", "")).endswith(f"/inventories/{group}")
            for host in hosts
        )
    )


def answers(url: str, seconds: float = 2.0) -> bool:
    """Whether something accepts connections at the host and port of `url`."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=seconds).close()
    except OSError:
        return False
    return True


def wrong_environment(
    hostvars: HostVars, groups: Groups, env: str, hosts: Sequence[str], runbook: str
) -> str:
    """Why `env` is not what this run would touch; empty when it is exactly that."""
    known = environments(hostvars, groups)
    if not known:
        return (
            "The inventories were not found: Ansible reads ansible.cfg only from the folder it is "
            f"started in. Type: cd {ROOT} && ansible-playbook {runbook} -e env={env or '<env>'}"
        )
    command = f"ansible-playbook {runbook} -e env=<{' | '.join(known)}>"
    if not env:
        return f"No environment was named. Type: {command}"
    if env not in known:
        return f"There is no environment '{env}'. Type: {command}"
    command = f"ansible-playbook {runbook} -e env={env}"
    if sorted(hosts) != sorted(groups[env]):
        left = ", ".join(sorted(hosts))
        return (
            f"-e env={env} and --limit disagree: the limit leaves {left}, "
            f"{env} is {', '.join(sorted(groups[env]))}. Type, without --limit: {command}"
        )
    for host in hosts:
        named = hostvars[host].get("lyo_env", "")
        if named != env:
            return (
                f"-e env={env}, but lyo_env is '{named}'. lyo_env belongs to "
                f"inventories/{env}/group_vars/{env}/main.yml alone. Type: {command}"
            )
    return ""


def wrong_account(aws: Mapping[str, Any], env: str) -> str:
    """What is not set in `lyo_aws`; empty when account and region could be right.

    An account id of one repeated digit is a placeholder.
    """
    place = f"inventories/{env}/group_vars/{env}/aws.yml"
    for name, pattern, example in (
        ("account_id", ACCOUNT_ID, '"123456789012"'),
        ("region", REGION, "eu-south-1"),
    ):
        value = aws.get(name)
        if not isinstance(value, str) or not pattern.fullmatch(value) or len(set(value)) == 1:
            return (
                f"'{value}' is not an AWS {name.replace('_', ' ')}. "
                f"Set lyo_aws.{name} in {place}, for example {example}, and run this again."
            )
    return ""


def wrong_shell(
    aws: Mapping[str, Any], env: str, runbook: str, environ: Mapping[str, str] = os.environ
) -> str:
    """What the shell says otherwise than the inventory: the region, or a left-over endpoint.

    The inventory's values would win, but somebody who exported others means another target.
    """
    command = f"ansible-playbook {runbook} -e env={env}"
    for name in REGION_VARIABLES:
        if environ.get(name, aws["region"]) != aws["region"]:
            return (
                f"{name} is {environ[name]} in this shell, but {env} is in {aws['region']}. "
                f"Type: unset {name} && {command}"
            )
    endpoint = environ.get("AWS_ENDPOINT_URL")
    if endpoint and not aws.get("endpoint_url"):
        return (
            f"AWS_ENDPOINT_URL is {endpoint} in this shell, but {env} is at AWS. "
            f"Type: unset AWS_ENDPOINT_URL && {command}"
        )
    return ""


def wrong_local_cloud(variables: Mapping[str, Any]) -> str:
    """Why the local cloud cannot be used; empty when it is up or when this is not one."""
    state = variables.get("lyo_local_cloud_state")
    if not state:
        return ""
    if not Path(state, "cloud.json").is_file():
        return (
            f"The local cloud is not up: there is no {state}/cloud.json. "
            "Type: python -m localcloud up   (or make demo, which sets everything up)"
        )
    endpoint = variables["lyo_aws"]["endpoint_url"]
    if not answers(endpoint):
        return (
            f"The local cloud of {state} does not answer at {endpoint}. "
            "Type: python -m localcloud down && python -m localcloud up"
        )
    return ""


def lyo_guard(
    hostvars: HostVars,
    groups: Groups,
    env: str,
    hosts: Sequence[str],
    runbook: str,
    offline: bool = False,
) -> str:
    """The first problem of a run's target, with the command to type; empty when there is none."""
    env = str(env)
    problem = wrong_environment(hostvars, groups, env, hosts, runbook)
    if problem or offline:
        return problem
    variables = hostvars[hosts[0]]
    problem = wrong_local_cloud(variables)
    if problem:
        return problem
    aws = variables.get("lyo_aws") or {}
    return wrong_account(aws, env) or wrong_shell(aws, env, runbook)


class FilterModule:
    """Filters of the guard."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"lyo_guard": lyo_guard}
