"""What a Terraform plan says, and in which order it is applied: decided without running anything.

The plan is `terraform show -json`'s document:
https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"

# Resources whose deletion loses data, or a name: a zone made anew has other name servers, so nobody
# finds anything in it until its parent is told. They are destroyed only when named.
STATEFUL_TYPES = frozenset(
    {
        "aws_backup_vault",
        "aws_db_instance",
        "aws_ecr_repository",
        "aws_elasticache_replication_group",
        "aws_kms_key",
        "aws_rds_cluster",
        "aws_route53_zone",
        "aws_s3_bucket",
        "aws_secretsmanager_secret",
    }
)

DATABASE = "aws_db_instance"

ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}

# Actions that take nothing away: only a plan of these alone is applied a phase at a time.
GROWTH = frozenset({"create", "update"})


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
    return Plan(tuple(changes), outputs, tuple(drift(document, changes)))


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


def drift(document: Mapping[str, Any], changes: Iterable[Change]) -> Iterable[dict[str, Any]]:
    """What was changed outside Terraform, as {address, attribute, current, desired}.

    Only what the plan puts back: what AWS or a release owns (the number of tasks, weights) is seen
    to differ from the state too, and that is as it should be.
    """
    changing = {change.address: change for change in changes}
    for resource in document.get("resource_drift", []):
        planned = changing.get(resource["address"])
        if planned is None:
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
        put_back = {attribute.name for attribute in planned.attributes}
        for attribute in attributes(change):
            if attribute.name in put_back:
                yield {
                    "address": resource["address"],
                    "attribute": attribute.name,
                    "current": attribute.after,
                    "desired": attribute.before,
                }


def assign(plan: Plan, phases: Sequence[Phase]) -> dict[str, str]:
    """The phase of each change, by address.

    What no phase names (the root module's own resources, above all the outputs that the runbooks
    read) follows from the modules: it belongs to the last phase that changes, so that a change of
    one module enters one phase. Alone it is the last phase's.
    """
    of = {module: phase.name for phase in phases for module in phase.modules}
    named = {of[change.module] for change in plan.changes if change.module in of}
    rest = [phase.name for phase in phases if phase.name in named] or [phases[-1].name]
    return {change.address: of.get(change.module, rest[-1]) for change in plan.changes}


def changed_phases(plan: Plan, phases: Sequence[Phase]) -> list[str]:
    """The phases with changes, in their order. Changed outputs alone belong to the last one."""
    names = set(assign(plan, phases).values())
    if plan.outputs and not names:
        names.add(phases[-1].name)
    return [phase.name for phase in phases if phase.name in names]


def split(
    plan: Plan, phases: Sequence[Phase], chosen: Container[str]
) -> tuple[list[str], list[str]]:
    """The changed phases that are entered, and those that stay pending, each in their order."""
    changed = changed_phases(plan, phases)
    return [name for name in changed if name in chosen], [n for n in changed if n not in chosen]


def stages(plan: Plan, phases: Sequence[Phase], chosen: Container[str]) -> list[Stage]:
    """In how many applies, and in which order, the chosen phases of a plan are carried out.

    A phase at a time, so that each can be validated before the next is entered. Where nothing
    stays pending, the last stage has no targets: it takes everything that is left. A plan that
    destroys or replaces something is carried out as a whole: across modules, only Terraform's own
    order of the whole graph knows that what depends on a resource must change before the resource
    goes.

    :raises PlanRefused: the choice would cut such a plan in two.
    """
    entered, pending = split(plan, phases, chosen)
    if not entered:
        return []
    where = assign(plan, phases)
    taking = [change for change in plan.changes if change.action not in GROWTH]
    if pending:
        _refuse_cut([c for c in taking if where[c.address] in entered], entered, pending)
    elif taking or len(entered) == 1:
        return [Stage(tuple(entered))]
    limited = [Stage((name,), _targets(plan, phases, name)) for name in entered]
    return limited if pending else [*limited[:-1], Stage((entered[-1],))]


def _targets(plan: Plan, phases: Sequence[Phase], name: str) -> tuple[str, ...]:
    """The modules of a phase that change, as Terraform's -target takes them."""
    changing = {change.module for change in plan.changes}
    modules = next(phase.modules for phase in phases if phase.name == name)
    return tuple(f"module.{module}" for module in modules if module in changing)


def _refuse_cut(taking: Sequence[Change], entered: Sequence[str], pending: Sequence[str]) -> None:
    if taking:
        raise PlanRefused(
            "the chosen phases are part of a plan that takes something away: "
            + ", ".join(sorted(f"{change.action} {change.address}" for change in taking))
            + ". Only Terraform's order of the whole plan is safe, and "
            + ", ".join(pending)
            + (" has" if len(pending) == 1 else " have")
            + " changes too. Nothing was applied. Choose all of it: -e phases="
            + ",".join([*entered, *pending])
            + "  (or leave phases out)"
        )


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


def refuse_empty_database(plan: Plan, allowed: Iterable[str]) -> None:
    """Refuse to make a database anew that was deleted outside: it would be empty, and taken for the old one.

    :raises PlanRefused: naming it.
    """
    created = {c.address for c in plan.changes if c.type == DATABASE and c.action == "create"}
    lost = sorted(
        entry["address"]
        for entry in plan.drift
        if entry["current"] == "deleted" and entry["address"] in created - set(allowed)
    )
    if lost:
        raise PlanRefused(
            f"{', '.join(lost)} was deleted outside Terraform, and would be made anew, empty. Nothing was "
            "applied. Bring the data back first: ansible-playbook restore.yml -e env=… -e from=time -e "
            'time=latest (or -e from=snapshot). If an empty one is meant: -e \'{"allow_destroy": ["'
            + '", "'.join(lost).replace('"', '\\"')
            + "\"]}'"
        )


def refuse_surprises(approved: Plan, partial: Plan, *, limited: bool = False) -> None:
    """Refuse a stage's plan that does anything the run's plan did not show.

    :param limited: the stage has targets, so it may take nothing away either. What another phase
        has is part of it only where a chosen one depends on it.
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
    taken = sorted(f"{c.action} {c.address}" for c in partial.changes if c.action not in GROWTH)
    if limited and taken:
        raise PlanRefused(
            "the chosen phase depends on what another phase would take away: "
            + ", ".join(taken)
            + ". Nothing of it was applied. Choose that phase too, or leave phases out"
        )
