"""What a Terraform plan says, and in which order it is applied: decided without running anything.

The plan is `terraform show -json`'s document:
https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"

# Resources whose deletion loses data. They are destroyed only when named.
STATEFUL_TYPES = frozenset(
    {
        "aws_backup_vault",
        "aws_db_instance",
        "aws_ecr_repository",
        "aws_elasticache_replication_group",
        "aws_kms_key",
        "aws_rds_cluster",
        "aws_s3_bucket",
        "aws_secretsmanager_secret",
    }
)

ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}


class PlanRefused(Exception):  # noqa: N818 - a decision, not a defect
    """The plan may not be applied; the message says why and what to do."""


@dataclass(frozen=True)
class Attribute:
    """One attribute that changes: `before` and `after` are never sensitive values."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One resource that the plan changes.

    `action`: create, update, delete, replace, forget, or, with nothing to call, move or import.
    """

    address: str
    type: str
    module: str
    action: str
    attributes: tuple[Attribute, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The change as a module returns it."""
        return {
            "address": self.address,
            "action": self.action,
            "attributes": [
                {"attribute": a.name, "before": a.before, "after": a.after} for a in self.attributes
            ],
        }


@dataclass(frozen=True)
class Phase:
    """An ordered part of the infrastructure: its name, and the root's modules it is made of."""

    name: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """What one apply covers. No `targets` means the whole plan."""

    phases: tuple[str, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a plan changes. `outputs`: names of the outputs that change."""

    changes: tuple[Change, ...]
    outputs: tuple[str, ...] = ()
    drift: tuple[dict[str, Any], ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to apply."""
        return not self.changes and not self.outputs


def read(document: Mapping[str, Any]) -> Plan:
    """Return what `terraform show -json <plan>` says."""
    changes = []
    for resource in document.get("resource_changes", []):
        action = ACTIONS.get(tuple(resource["change"]["actions"])) or state_action(resource)
        if not action or resource.get("mode") == "data":
            continue
        changes.append(
            Change(
                address=resource["address"],
                type=resource["type"],
                module=top_module(resource.get("module_address", "")),
                action=action,
                attributes=attributes(resource["change"]) if action != "create" else (),
            )
        )
    outputs = tuple(
        name
        for name, change in sorted(document.get("output_changes", {}).items())
        if change.get("actions") not in (["no-op"], ["read"])
    )
    return Plan(tuple(changes), outputs, tuple(drift(document, {c.address for c in changes})))


def state_action(resource: Mapping[str, Any]) -> str:
    """What a resource change without an action does to the state alone; empty for nothing."""
    if resource["change"].get("importing"):
        return "import"
    return "move" if resource.get("previous_address") else ""


def top_module(address: str) -> str:
    """`module.vpc["a"].module.x` → `vpc`; empty for the root module."""
    if not address.startswith("module."):
        return ""
    return address.removeprefix("module.").split(".", 1)[0].split("[", 1)[0]


def attributes(change: Mapping[str, Any]) -> tuple[Attribute, ...]:
    """The top-level attributes that differ, sensitive values masked."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    found = []
    for name in sorted({*before, *after, *(unknown if isinstance(unknown, dict) else {})}):
        is_unknown = isinstance(unknown, dict) and contains_true(unknown.get(name))
        if not is_unknown and before.get(name) == after.get(name):
            continue
        old, new = before.get(name), UNKNOWN if is_unknown else after.get(name)
        if hidden(change.get("before_sensitive"), name) or hidden(
            change.get("after_sensitive"), name
        ):
            old = SENSITIVE if old is not None else None
            new = SENSITIVE if new is not None else None
        found.append(Attribute(name, old, new))
    return tuple(found)


def hidden(sensitive: Any, name: str) -> bool:
    """Whether Terraform calls attribute `name`, or anything below it, sensitive."""
    if isinstance(sensitive, Mapping):
        return contains_true(sensitive.get(name))
    return sensitive is True


def contains_true(value: Any) -> bool:
    """Whether `value` is true or has a true somewhere inside."""
    if isinstance(value, Mapping):
        return any(contains_true(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_true(item) for item in value)
    return value is True


def drift(document: Mapping[str, Any], changing: Set[str]) -> Iterable[dict[str, Any]]:
    """What was changed outside Terraform, as {address, attribute, current, desired}.

    Only where the plan puts it back: what AWS or a release owns (the number of tasks, weights) is
    seen to differ from the state too, and that is as it should be.
    """
    for resource in document.get("resource_drift", []):
        if resource["address"] not in changing:
            continue
        change = resource["change"]
        if change["actions"] == ["delete"]:
            yield {
                "address": resource["address"],
                "attribute": "",
                "current": "deleted",
                "desired": "present",
            }
            continue
        for attribute in attributes(change):
            yield {
                "address": resource["address"],
                "attribute": attribute.name,
                "current": attribute.after,
                "desired": attribute.before,
            }


def phase_of(change: Change, phases: Sequence[Phase]) -> str:
    """The phase a change belongs to; what no phase names belongs to the last one."""
    for phase in phases:
        if change.module in phase.modules:
            return phase.name
    return phases[-1].name


def changed_phases(plan: Plan, phases: Sequence[Phase]) -> list[str]:
    """The phases with changes, in their order. Changed outputs alone belong to the last one."""
    names = {phase_of(change, phases) for change in plan.changes}
    if plan.outputs and not names:
        names.add(phases[-1].name)
    return [phase.name for phase in phases if phase.name in names]


def stages(plan: Plan, phases: Sequence[Phase]) -> list[Stage]:
    """In how many applies, and in which order, a plan is carried out.

    A phase at a time, so that each can be validated before the next is entered. The last stage has
    no targets: it takes everything that is left. A plan that destroys or replaces something is
    carried out as a whole: across modules, only Terraform's own order of the whole graph knows that
    what depends on a resource must change before the resource goes.
    """
    changed = changed_phases(plan, phases)
    if not changed:
        return []
    whole = any(change.action not in ("create", "update") for change in plan.changes)
    if whole or len(changed) == 1:
        return [Stage(tuple(changed))]
    modules = {phase.name: phase.modules for phase in phases}
    first = [
        Stage((name,), tuple(f"module.{module}" for module in modules[name]))
        for name in changed[:-1]
    ]
    return [*first, Stage((changed[-1],))]


def refuse_destruction(
    plan: Plan, allowed: Iterable[str], stateful: Iterable[str] = STATEFUL_TYPES
) -> None:
    """Refuse a plan that deletes or replaces what holds data, unless its address is allowed.

    :raises PlanRefused: naming each such resource.
    """
    lost = sorted(
        change.address
        for change in plan.changes
        if change.action in ("delete", "replace")
        and change.type in frozenset(stateful)
        and change.address not in set(allowed)
    )
    if lost:
        raise PlanRefused(
            "the plan would destroy what holds data: "
            + ", ".join(lost)
            + ". Nothing was applied. If that is meant, take a backup first, then name each one: "
            + '-e \'{"allow_destroy": ["'
            + '", "'.join(lost).replace('"', '\\"')
            + "\"]}'"
        )


def refuse_surprises(approved: Plan, partial: Plan) -> None:
    """Refuse a stage's plan that does anything the run's plan did not show.

    :raises PlanRefused: naming what is new.
    """
    shown = {(change.address, change.action) for change in approved.changes}
    new = sorted(
        f"{change.action} {change.address}"
        for change in partial.changes
        if (change.address, change.action) not in shown
    )
    if new:
        raise PlanRefused(
            "the infrastructure is no longer what was planned for; this was not in the plan: "
            + ", ".join(new)
            + ". Nothing of it was applied. Run the same command again"
        )
