"""Argument specs of the webhooks' modules."""

from __future__ import annotations

from typing import Any


def graph_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``graph``: Meta's Graph API."""
    return {
        "type": "dict",
        "required": True,
        "options": {
            "url": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "concurrency": {"type": "int", "default": 24},
            "rate": {"type": "float", "default": 100.0},
            "max_rate": {"type": "float", "default": 250.0},
            "attempts": {"type": "int", "default": 6},
            "timeout": {"type": "float", "default": 30.0},
            "patience": {"type": "float", "default": 900.0},
        },
    }


def tenants_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``tenants``: where their list is."""
    place = {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True}}
    place["key"]["no_log"] = False
    return {
        "type": "dict",
        "required": True,
        "options": {
            "file": {"type": "path"},
            "partial": {"type": "bool", "default": False},
            "s3": {"type": "dict", "options": place},
            "database": {
                "type": "dict",
                "options": {
                    "command": {"type": "list", "elements": "str", "default": ["export"]},
                    "query": {"type": "str"},
                    "timeout": {"type": "int", "default": 300},
                },
            },
        },
        "required_one_of": [["file", "s3", "database"]],
        "mutually_exclusive": [["file", "s3", "database"]],
    }


def store_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``store``: where records are kept."""
    return {
        "type": "dict",
        "required": True,
        "options": {
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": "webhooks/"},
            "kms_key": {"type": "str", "no_log": False},
        },
    }
