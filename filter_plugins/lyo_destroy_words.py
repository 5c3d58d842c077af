"""Whether somebody who wants an environment destroyed has said so."""

from __future__ import annotations

from typing import Any

DOCUMENTATION = """
name: lyo_destroy_words
short_description: Say which words are missing before an environment may be destroyed
version_added: "1.0"
description:
  - An environment is destroyed only when its name is typed a second time, and production only when
    it is also said that its data goes.
  - Showing what would be destroyed needs no word.
positional: destroy, lose, check
options:
  _input:
    description: The environment that was asked for.
    type: str
    required: true
  destroy:
    description: What was typed as C(-e destroy=).
    type: str
    default: ''
  lose:
    description: What was typed as C(-e lose=).
    type: str
    default: ''
  check:
    description: Whether the run only shows what it would do.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Refuse to destroy what nobody wants destroyed
  ansible.builtin.fail:
    msg: "{{ env | lyo_destroy_words(destroy | default(''), lose | default('')) }}"
"""

RETURN = """
_value:
  description: What is missing, with the command to type; empty when nothing is.
  type: str
"""

PRODUCTION = "production"
DATA = "data"


def lyo_destroy_words(env: str, destroy: Any = "", lose: Any = "", check: bool = False) -> str:
    """What is missing before `env` may be destroyed; empty when nothing is."""
    command = f"ansible-playbook destroy.yml -e env={env}"
    show = f"What would go is shown by: {command} --check"
    if check:
        return ""
    if str(destroy) != env:
        said = f"-e destroy={destroy} is not {env}" if destroy else f"{env} was not named"
        words = f" -e destroy={env}" + (f" -e lose={DATA}" if env == PRODUCTION else "")
        return (
            f"Nothing was destroyed: {said} as what is to go. {show}. "
            f"To destroy it for good, type: {command}{words}"
        )
    if env == PRODUCTION and str(lose) != DATA:
        return (
            f"Nothing was destroyed: {env} has customers' data. A final snapshot of the database and "
            f"of the cache is taken, and recovery points stay; images, logs and objects are lost. "
            f"{show}. To destroy it for good, type: {command} -e destroy={env} -e lose={DATA}"
        )
    return ""


class FilterModule:
    """Filter of the destruction."""

    def filters(self) -> dict[str, Any]:
        """The filter by name."""
        return {"lyo_destroy_words": lyo_destroy_words}
