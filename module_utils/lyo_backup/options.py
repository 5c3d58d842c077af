"""Argument specs that whoever runs the ops program shares."""

from __future__ import annotations

from typing import Any


def program_spec() -> dict[str, Any]:
    """Return the option ``program``: how the tasks of the ops program run."""
    return {
        "type": "dict",
        "default": {},
        "options": {
            "image": {"type": "str"},
            "container": {"type": "str", "default": "ops"},
            "cpu": {"type": "str", "default": "1024"},
            "memory": {"type": "str", "default": "2048"},
            "architecture": {"type": "str", "choices": ["X86_64", "ARM64"], "default": "X86_64"},
            "jobs": {"type": "int", "default": 2},
            "sslmode": {"type": "str", "default": "verify-full"},
            "prefix": {"type": "str", "default": "logical/"},
            "environment": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 14400},
        },
    }
