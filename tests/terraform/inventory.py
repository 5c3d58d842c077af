"""terraform/inventory.toml, compared with what is planned or was applied.

A row of the inventory names something that the infrastructure must have, the module that makes it,
and the resources that it consists of:

    [[row]]
    what = "NAT gateways"
    module = "vpc"
    [row.resources]
    "aws_nat_gateway" = { count = { local = 1, staging = 1, production = 2 } }

A resource's key is `type` or `type.name`, with `*` for any text. `count` is exact, `at_least` a
minimum (without either: at least 1). `values` must hold for every instance: attribute → value, with
a path like `health_check.0.path` or `parameter[name=rds.force_ssl].value` to what is deeper; the
value "(set)" stands for any but null, "" and []. A table {local, staging, production} in place of a
number or value says it for each environment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

INVENTORY = Path(__file__).resolve().parents[2] / "terraform/inventory.toml"
ENVIRONMENTS = ("local", "staging", "production")
ADDRESS = re.compile(r"(?:module\.(\w+)(?:\[[^]]*\])?\.)?(\w+\.\w+)(?:\[.*\])?")
STEP = re.compile(r"(\w+)(?:\[(\w+)=([^]]+)\])?(?:\.|$)")


@dataclass(frozen=True)
class Instance:
    """One managed resource instance. module: `root` outside of one; resource: `type.name`."""

    address: str
    module: str
    resource: str
    values: Mapping[str, Any]

    @classmethod
    def at(cls, address: str, values: Mapping[str, Any]) -> Instance:
        """The instance with this address."""
        parts = ADDRESS.fullmatch(address)
        assert parts, address
        return cls(address, parts.group(1) or "root", parts.group(2), values)


@dataclass(frozen=True)
class Wanted:
    """What a row says of the resources that one key names, in one environment."""

    row: str
    module: str
    key: str
    count: int | None
    at_least: int
    values: Mapping[str, Any]

    def names(self, instance: Instance) -> bool:
        """Whether the instance is one of those."""
        what = instance.resource if "." in self.key else instance.resource.split(".")[0]
        return instance.module == self.module and fnmatchcase(what, self.key)


def load(file: Path = INVENTORY) -> dict[str, Any]:
    """The inventory as it is written."""
    return tomllib.loads(file.read_text())


def wanted(inventory: Mapping[str, Any], environment: str) -> list[Wanted]:
    """What the inventory asks for in an environment; an unknown key is an error."""
    found = []
    for row in inventory["row"]:
        assert row.keys() == {"what", "module", "resources"}, row
        for key, says in row["resources"].items():
            unknown = says.keys() - {"count", "at_least", "values"}
            assert not unknown, f"{row['what']}: {key}: {unknown}"
            found.append(
                Wanted(
                    row["what"],
                    row["module"],
                    key,
                    _for(environment, says.get("count")),
                    _for(environment, says.get("at_least", 1)),
                    {
                        path: _for(environment, value)
                        for path, value in says.get("values", {}).items()
                    },
                )
            )
    return found


def _for(environment: str, value: Any) -> Any:
    if isinstance(value, dict) and value.keys() & set(ENVIRONMENTS):
        return value[environment]
    return value


def planned(plan: Mapping[str, Any]) -> list[Instance]:
    """The managed instances after a plan (`terraform show -json`, or a test's `test_plan`)."""
    return [
        Instance.at(change["address"], change["change"]["after"])
        for change in plan["resource_changes"]
        if change["mode"] == "managed" and change["change"]["after"] is not None
    ]


def applied(state: Mapping[str, Any]) -> list[Instance]:
    """The managed instances of a state (`terraform show -json`)."""

    def within(module: Mapping[str, Any]) -> Iterable[Instance]:
        for resource in module.get("resources", []):
            if resource["mode"] == "managed":
                yield Instance.at(resource["address"], resource["values"])
        for child in module.get("child_modules", []):
            yield from within(child)

    return list(within(state["values"]["root_module"]))


def value_at(values: Any, path: str) -> Any:
    """What `path` leads to; None where it leads nowhere. A list of one block needs no number."""
    position, here = 0, values
    while position < len(path) and here is not None:
        step = STEP.match(path, position)
        assert step, f"{path}: not understood from {path[position:]!r} on"
        position = step.end()
        name, key, match = step.groups()
        if isinstance(here, list) and name.isdigit():
            here = here[int(name)] if int(name) < len(here) else None
            continue
        if isinstance(here, list) and len(here) == 1:
            here = here[0]
        here = here.get(name) if isinstance(here, dict) else None
        if key and here is not None:
            here = next((entry for entry in here if entry.get(key) == match), None)
    return here


def problems(
    inventory: Mapping[str, Any], environment: str, instances: Iterable[Instance]
) -> list[str]:
    """Where `instances` differ from the inventory: lacking, wrong, or named by no row."""
    instances, rows = list(instances), wanted(inventory, environment)
    found = []
    for row in rows:
        mine = [instance for instance in instances if row.names(instance)]
        label = f"{row.row}: {row.module} {row.key}"
        if row.count is not None and len(mine) != row.count:
            found.append(f"{label}: {len(mine)} instead of {row.count}")
        elif row.count is None and len(mine) < row.at_least:
            found.append(f"{label}: {len(mine)}, at least {row.at_least} wanted")
        for path, value in row.values.items():
            for instance in mine:
                is_ = value_at(instance.values, path)
                if is_ in (None, "", []) if value == "(set)" else is_ != value:
                    found.append(f"{label}: {path} of {instance.address} is {is_!r}, not {value!r}")
    found += [
        f"no row names {instance.address}"
        for instance in instances
        if not any(row.names(instance) for row in rows)
    ]
    return found
