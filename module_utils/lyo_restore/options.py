"""Argument specs that the modules of a recovery share."""

from __future__ import annotations

from typing import Any

from ..lyo_backup.options import program_spec
from ..lyo_release.options import task_spec


def restored_spec() -> dict[str, Any]:
    """Return the options of whoever restores: which environment, and how what was restored is looked at."""
    return {
        "env": {"type": "str", "required": True},
        "outputs_parameter": {"type": "str"},
        "name": {"type": "str", "required": True},
        "state": {
            "type": "dict",
            "required": True,
            "options": {
                "bucket": {"type": "str", "required": True},
                # Names of objects, not secrets.
                "key": {"type": "str", "default": "lyo.tfstate", "no_log": False},
                "marker_key": {"type": "str", "default": "lyo.plan.json", "no_log": False},
                "drills_prefix": {"type": "str", "default": "drills/"},
            },
        },
        "image": {"type": "str", "default": ""},
        "release": {"type": "str", "default": ""},
        "task": task_spec(),
        "checks": {
            "type": "dict",
            "default": {},
            "options": {
                "plan": {"type": "list", "elements": "str"},
                "count": {"type": "list", "elements": "str"},
            },
        },
        "program": program_spec(),
        "check_timeout": {"type": "int", "default": 900},
        "timeout": {"type": "int", "default": 7200},
    }
