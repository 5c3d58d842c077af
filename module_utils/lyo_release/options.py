"""Argument specs that several modules share, and the outputs they need from Terraform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STRATEGIES = ("BLUE_GREEN", "CANARY", "LINEAR")

# What a release reads from the parameter /lyo/<env>/outputs.
RELEASE_OUTPUTS = (
    "cluster_name",
    "service_name",
    "task_family",
    "container_name",
    "container_port",
    "repository_url",
    "log_group",
    "subnet_ids",
    "app_security_group_ids",
    "execution_role_arn",
    "task_role_arn",
    "ecs_infrastructure_role_arn",
    "target_group_arns",
    "production_listener_rule_arn",
    "autoscaling",
    "cpu",
    "memory",
    "region",
)


def task_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``task``: what a task definition is made from."""
    return {
        "type": "dict",
        "default": {},
        "options": {
            "cpu": {"type": "str"},
            "memory": {"type": "str"},
            "architecture": {"type": "str", "choices": ["X86_64", "ARM64"], "default": "X86_64"},
            "environment": {"type": "dict", "default": {}},
            # The values are ARNs, not the secrets themselves.
            "secrets": {"type": "dict", "default": {}, "no_log": False},
            "command": {"type": "list", "elements": "str"},
            "stop_timeout": {"type": "int", "default": 60},
            "health_command": {"type": "list", "elements": "str"},
        },
    }


def deployment_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``deployment``: how a release takes over traffic."""
    return {
        "type": "dict",
        "default": {},
        "options": {
            "strategy": {"type": "str", "choices": list(STRATEGIES), "default": "BLUE_GREEN"},
            "bake_time_minutes": {"type": "int", "default": 5},
            "canary_percent": {"type": "float", "default": 10.0},
            "canary_bake_time_minutes": {"type": "int", "default": 5},
            "linear_step_percent": {"type": "float", "default": 25.0},
            "linear_step_bake_time_minutes": {"type": "int", "default": 2},
            "pause_timeout_minutes": {"type": "int", "default": 30},
            "alarms": {"type": "list", "elements": "str", "default": []},
            "hooks": {"type": "list", "elements": "dict", "default": []},
            "max_failed_tasks": {"type": "int", "default": 3},
            "healthy_timeout": {"type": "int", "default": 900},
            "timeout": {"type": "int", "default": 7200},
        },
    }


def app_spec(*, required: bool) -> dict[str, Any]:
    """Return the argument spec of the option ``app``: the application and how it is built."""
    return {
        "type": "dict",
        "required": required,
        "options": {
            "path": {"type": "path", "required": True},
            "image_toml": {"type": "str", "default": "image.toml"},
            "builder": {"type": "str", "choices": ["process", "docker"], "default": "process"},
            "dockerfile": {"type": "str", "default": "Dockerfile"},
            "dashboard": {"type": "str"},
            "default_release": {"type": "str"},
        },
    }


def infra_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``infra``: when Terraform has to plan."""
    return {
        "type": "dict",
        "default": {},
        "options": {
            "force": {"type": "str", "choices": ["auto", "plan", "skip"], "default": "auto"},
            "paths": {"type": "list", "elements": "path", "default": []},
            "variables": {"type": "dict", "default": {}},
            "max_age_hours": {"type": "int", "default": 24},
            "bucket": {"type": "str"},
            "state_key": {"type": "str", "default": "lyo.tfstate", "no_log": False},
            "marker_key": {"type": "str", "default": "lyo.plan.json", "no_log": False},
        },
    }


def webhooks_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``webhooks``: when Meta has to be told again."""
    return {
        "type": "dict",
        "options": {
            "prefix": {"type": "str", "default": "webhooks/"},
            "callback_path": {"type": "str", "default": "/webhook"},
            "graph_version": {"type": "str", "required": True},
            "token_version": {"type": "str", "default": "1", "no_log": False},
        },
    }


def ledger_spec() -> dict[str, Any]:
    """Return the argument spec of the option ``ledger``: where the runs are on record."""
    return {
        "type": "dict",
        "options": {
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": "ledger/"},
        },
    }


def secret_spec() -> dict[str, Any]:
    """Return the argument spec of a reference to a secret in Secrets Manager."""
    return {
        "type": "dict",
        "no_log": False,
        "options": {
            "arn": {"type": "str", "required": True},
            "key": {"type": "str", "no_log": False},
        },
    }


def checks_spec(*, required: bool = False) -> dict[str, Any]:
    """Return the argument spec of a list of HTTP checks."""
    return {
        "type": "list",
        "elements": "dict",
        **({"required": True} if required else {"default": []}),
        "options": {
            "name": {"type": "str", "required": True},
            "url": {"type": "str"},
            "path": {"type": "str"},
            "method": {"type": "str", "default": "GET"},
            "headers": {"type": "dict", "default": {}},
            "secret_headers": {"type": "dict", "default": {}, "no_log": False},
            "body": {"type": "raw"},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "json": {"type": "dict"},
            "contains": {"type": "str"},
            "timeout": {"type": "float", "default": 5.0},
            "attempts": {"type": "int", "default": 5},
            "delay": {"type": "float", "default": 1.0},
            "handshake": {
                "type": "dict",
                "options": {
                    "verify_token": {**secret_spec(), "required": True},
                    "wrong": {"type": "bool", "default": False},
                },
            },
            "signature": {
                "type": "dict",
                "options": {
                    "app_secret": {**secret_spec(), "required": True},
                    "wrong": {"type": "bool", "default": False},
                },
            },
        },
        "required_one_of": [["url", "path"]],
        "mutually_exclusive": [["url", "path"], ["handshake", "signature"]],
    }


def missing_outputs(outputs: Mapping[str, Any]) -> list[str]:
    """Return the names a release needs that Terraform's outputs do not have."""
    return [name for name in RELEASE_OUTPUTS if outputs.get(name) in (None, "", [], {})]
