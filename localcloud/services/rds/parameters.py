"""Parameters of RDS for PostgreSQL: PostgreSQL's own settings as a parameter group shows them.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.dataplane.postgres import configuration
from localcloud.services.rds.common import invalid_combination, invalid_value, refused

# Managed by RDS: described, never modifiable.
_MANAGED = re.compile(
    r"listen_addresses|port|wal_level|archive_.*|restore_command|recovery_.*|primary_.*|hot_standby|"
    r"ssl.*|.*_file|data_directory|external_pid_file|unix_socket_.*|bonjour.*|log_directory|"
    r"log_file.*|extension_control_path|dynamic_library_path|cluster_name|event_source|allow_.*|"
    r"summarize_wal|wal_sync_method|krb_.*|basic_archive\..*|promote_.*|sync_replication_slots"
)
_TYPES = {"bool": "boolean", "integer": "integer", "real": "float", "enum": "string"}
_FORMULA = re.compile(r"[{(]")
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "GREATEST": max,
    "LEAST": min,
    "SUM": lambda *numbers: sum(numbers),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: what it may be and when a change of it takes effect."""

    name: str
    data_type: str
    default: str | None
    static: bool
    modifiable: bool
    description: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def allowed(self) -> str | None:
        """AllowedValues, as RDS writes them."""
        if self.data_type == "boolean":
            return "0,1"
        if self.choices:
            return ",".join(self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:.15g}-{self.maximum:.15g}"
        return None


_OWN = (
    Parameter("rds.force_ssl", "boolean", "0", False, True, "Force SSL connections."),
    Parameter("rds.logical_replication", "boolean", "0", True, True, "Enables logical decoding."),
    Parameter(
        "rds.log_retention_period",
        "integer",
        "4320",
        False,
        True,
        "Amazon RDS will delete PostgreSQL logs that are older than N minutes.",
        minimum=1440,
        maximum=10080,
    ),
)


def catalogue(rows: Iterable[Mapping[str, Any]]) -> dict[str, Parameter]:
    """Every parameter by name, from pg_settings of the server that runs."""
    found = {row["name"]: _from_row(row) for row in rows}
    found.update({parameter.name: parameter for parameter in _OWN})
    return dict(sorted(found.items()))


def _from_row(row: Mapping[str, Any]) -> Parameter:
    name, kind = row["name"], row["type"]
    managed = (
        row["context"] == "internal"
        or name in configuration.FIXED
        or _MANAGED.fullmatch(name) is not None
    )
    default = configuration.LEAN.get(name, row["default"])
    return Parameter(
        name=name,
        data_type=_TYPES.get(kind, "string"),
        default={"on": "1", "off": "0"}.get(default, default) if kind == "bool" else default,
        static=row["context"] in ("postmaster", "internal"),
        modifiable=not managed,
        description=row["description"] or "",
        choices=tuple(row["values"] or ()),
        minimum=None if row["minimum"] is None else float(row["minimum"]),
        maximum=None if row["maximum"] is None else float(row["maximum"]),
    )


def check(
    known: Mapping[str, Parameter],
    name: str,
    value: str,
    method: str,
    libraries: Collection[str],
) -> None:
    """Raise the AwsError with which ModifyDBParameterGroup answers an impossible change.

    libraries: names that shared_preload_libraries may hold.
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html
    """
    parameter = known.get(name)
    if parameter is None:
        raise invalid_value(f"Could not find parameter with name: {name}")
    if not parameter.modifiable:
        raise invalid_value(f"The parameter {name} cannot be modified.")
    if parameter.static and method == "immediate":
        raise invalid_combination(f"cannot use immediate apply method for static parameter: {name}")
    if name == "rds.force_ssl" and value == "1":
        raise refused(
            "rds.force_ssl = 1, since its PostgreSQL is built without TLS: set it to 0 for this "
            "environment and connect with sslmode=prefer or disable"
        )
    _check_value(parameter, value, libraries)


def _check_value(parameter: Parameter, value: str, libraries: Collection[str]) -> None:
    wrong = invalid_value(
        f"Invalid parameter value: {value} for: {parameter.name} allowed values are: "
        f"{parameter.allowed or parameter.data_type}"
    )
    if parameter.data_type in ("integer", "float"):
        if _FORMULA.search(value):
            try:
                evaluate(value, memory=2**30)
            except ValueError as error:
                raise wrong from error
            return
        try:
            number = int(value) if parameter.data_type == "integer" else float(value)
        except ValueError as error:
            raise wrong from error
        if parameter.minimum is not None and number < parameter.minimum:
            raise wrong
        if parameter.maximum is not None and number > parameter.maximum:
            raise wrong
    elif parameter.data_type == "boolean":
        if value not in ("0", "1"):
            raise wrong
    elif parameter.choices:
        if value not in parameter.choices:
            raise wrong
    elif parameter.name == "shared_preload_libraries":
        for name in filter(None, (part.strip() for part in value.split(","))):
            if name not in libraries:
                raise refused(f"the library {name} in shared_preload_libraries")
    if "\n" in value or "\r" in value:
        raise wrong


def evaluate(formula: str, memory: int) -> int:
    """Value of a formula such as `LEAST({DBInstanceClassMemory/9531392},5000)`.

    memory: bytes of the instance class. Raises ValueError for what is no formula.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
    """
    variables = {"DBInstanceClassMemory": float(memory)}

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name) and node.id in variables:
            return variables[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            function = _FUNCTIONS.get(node.func.id.upper())
            if function is not None and not node.keywords:
                return function(*(value(argument) for argument in node.args))
        raise ValueError(f"not a formula: {formula}")

    text = formula.replace("{", "(").replace("}", ")")
    try:
        return int(value(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, ZeroDivisionError) as error:
        raise ValueError(f"not a formula: {formula}") from error


def for_server(
    known: Mapping[str, Parameter], values: Mapping[str, str], memory: int
) -> dict[str, str]:
    """The values of a group as the server's configuration takes them."""
    result = {}
    for name, value in values.items():
        numeric = known[name].data_type in ("integer", "float")
        result[name] = str(evaluate(value, memory)) if numeric and _FORMULA.search(value) else value
    return result
