"""Resources of an environment in one form, whichever document of Terraform they come from.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The root module's output that the runbooks read.
OUTPUT = "runbooks"


@dataclass(frozen=True)
class Resource:
    """One managed resource.

    :ivar address: as Terraform writes it, with its key.
    :ivar type: ``aws_nat_gateway`` and the like.
    :ivar attributes: those that are known; before an apply many are not.
    """

    address: str
    type: str
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, ``default`` where it is absent or null."""
        value = self.attributes.get(name)
        return default if value is None else value

    def block(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return the blocks of this name, none where there is none."""
        value = self.attributes.get(name)
        if isinstance(value, Mapping):
            return [value]
        return [entry for entry in value or [] if isinstance(entry, Mapping)]


@dataclass(frozen=True)
class Environment:
    """Everything the estimate is made from.

    :ivar resources: the managed resources.
    :ivar outputs: the root output ``runbooks``: the size of a task stands nowhere else.
    """

    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def of(self, *types: str) -> list[Resource]:
        """Return the resources of these types."""
        return [resource for resource in self.resources if resource.type in types]


def from_plan(document: Mapping[str, Any]) -> Environment:
    """Return what a plan document leaves behind: ``terraform show -json`` of a plan, or the event
    ``test_plan`` of ``terraform test -json -verbose``.

    :raises ValueError: it is neither.
    """
    changes = document.get("resource_changes")
    if not isinstance(changes, list):
        raise ValueError("this is no plan: it has no resource_changes")  # noqa: TRY004
    resources = tuple(
        Resource(change["address"], change["type"], change["change"]["after"])
        for change in changes
        if change.get("mode") == "managed" and change["change"].get("after") is not None
    )
    outputs = (document.get("output_changes") or {}).get(OUTPUT, {}).get("after")
    return Environment(resources, outputs if isinstance(outputs, Mapping) else {})


def from_state(document: Mapping[str, Any]) -> Environment:
    """Return what a state (version 4) holds.

    :raises ValueError: it is another version, or no state.
    """
    if document.get("version") != 4:
        raise ValueError(
            f"this is no Terraform state of version 4, but of {document.get('version')}"
        )
    resources = tuple(
        Resource(_address(entry, instance), entry["type"], instance.get("attributes") or {})
        for entry in document.get("resources", [])
        if entry.get("mode") == "managed"
        for instance in entry.get("instances", [])
    )
    outputs = (document.get("outputs") or {}).get(OUTPUT, {}).get("value")
    return Environment(resources, outputs if isinstance(outputs, Mapping) else {})


def _address(entry: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    parts = [entry["module"]] if entry.get("module") else []
    key = instance.get("index_key")
    index = "" if key is None else f"[{key}]" if isinstance(key, int) else f'["{key}"]'
    return ".".join([*parts, entry["type"], entry["name"]]) + index
