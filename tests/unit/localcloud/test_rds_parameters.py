"""Parameters of RDS: from pg_settings, and what may be asked of them."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.api import AwsError
from localcloud.services.rds.parameters import catalogue, check, evaluate, for_server

LIBRARIES = frozenset({"pg_stat_statements", "auto_explain"})


def row(name: str, kind: str, context: str = "user", **more: Any) -> dict[str, Any]:
    filled = {"unit": None, "minimum": None, "maximum": None, "values": None, "default": None}
    return {"name": name, "type": kind, "context": context, "description": "", **filled, **more}


KNOWN = catalogue(
    [
        row("work_mem", "integer", minimum="64", maximum="2147483647", default="4096"),
        row("max_connections", "integer", "postmaster", minimum="1", maximum="262143"),
        row("log_lock_waits", "bool", "superuser", default="off"),
        row("wal_compression", "enum", "superuser", values=["pglz", "on", "off"], default="off"),
        row("seq_page_cost", "real", minimum="0", maximum="1.79769e+308", default="1"),
        row("search_path", "string"),
        row("shared_preload_libraries", "string", "postmaster"),
        row("server_version", "string", "internal"),
        row("fsync", "bool", "sighup"),
        row("archive_command", "string", "sighup"),
    ]
)


def test_a_setting_of_the_postmaster_is_static_and_others_are_dynamic() -> None:
    assert KNOWN["max_connections"].static
    assert not KNOWN["work_mem"].static


def test_what_rds_manages_is_not_modifiable() -> None:
    fixed = {name for name, parameter in KNOWN.items() if not parameter.modifiable}
    assert fixed == {"server_version", "fsync", "archive_command"}


def test_booleans_are_zero_and_one() -> None:
    assert KNOWN["log_lock_waits"].default == "0"
    assert KNOWN["log_lock_waits"].allowed == "0,1"


def test_allowed_values_name_the_range_or_the_choices() -> None:
    assert KNOWN["work_mem"].allowed == "64-2147483647"
    assert KNOWN["wal_compression"].allowed == "pglz,on,off"


@pytest.mark.parametrize(
    ("name", "value", "method"),
    [
        ("work_mem", "64", "immediate"),
        ("work_mem", "{DBInstanceClassMemory/32768}", "immediate"),
        ("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)", "pending-reboot"),
        ("log_lock_waits", "1", "immediate"),
        ("wal_compression", "pglz", "pending-reboot"),
        ("seq_page_cost", "1.5", "immediate"),
        ("shared_preload_libraries", "pg_stat_statements, auto_explain", "pending-reboot"),
        ("rds.force_ssl", "0", "immediate"),
    ],
)
def test_what_postgres_accepts_is_accepted(name: str, value: str, method: str) -> None:
    check(KNOWN, name, value, method, LIBRARIES)


@pytest.mark.parametrize(
    ("name", "value", "method", "code"),
    [
        ("no_such_thing", "1", "immediate", "InvalidParameterValue"),
        ("work_mem", "63", "immediate", "InvalidParameterValue"),
        ("work_mem", "4MB", "immediate", "InvalidParameterValue"),
        ("work_mem", "{DBInstanceClassMemory/}", "immediate", "InvalidParameterValue"),
        ("work_mem", "__import__('os')", "immediate", "InvalidParameterValue"),
        ("log_lock_waits", "on", "immediate", "InvalidParameterValue"),
        ("wal_compression", "gzip", "immediate", "InvalidParameterValue"),
        ("search_path", "a\nfsync = on", "immediate", "InvalidParameterValue"),
        ("max_connections", "9", "immediate", "InvalidParameterCombination"),
        ("archive_command", "true", "immediate", "InvalidParameterValue"),
        ("rds.force_ssl", "1", "immediate", "NotImplemented"),
        ("shared_preload_libraries", "pg_cron", "pending-reboot", "NotImplemented"),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: str, method: str, code: str) -> None:
    with pytest.raises(AwsError) as caught:
        check(KNOWN, name, value, method, LIBRARIES)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("{DBInstanceClassMemory/32768}", 32768),
        ("GREATEST({DBInstanceClassMemory/63963136},64)", 64),
        ("LEAST({DBInstanceClassMemory/9531392},50)", 50),
        ("SUM({DBInstanceClassMemory/1073741824},4)*2", 10),
    ],
)
def test_formulas_use_the_memory_of_the_class(formula: str, value: int) -> None:
    assert evaluate(formula, memory=2**30) == value


def test_a_server_gets_formulas_as_numbers_and_everything_else_as_it_is() -> None:
    values = {"work_mem": "{DBInstanceClassMemory/1048576}", "search_path": "{x}"}
    assert for_server(KNOWN, values, memory=2**30) == {"work_mem": "1024", "search_path": "{x}"}
