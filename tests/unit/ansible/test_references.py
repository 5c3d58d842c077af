"""Values of Terraform's outputs in what a task is made from."""

from __future__ import annotations

import pytest

from module_utils.lyo_release.task_definition import filled

OUTPUTS = {"database": {"host": "db.internal", "port": 5432}, "region": "eu-south-1", "test": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain $5 {x}", "plain $5 {x}"),
        ("${region}", "eu-south-1"),
        ("${database.host}:${database.port}", "db.internal:5432"),
    ],
)
def test_references_become_values(text: str, value: str) -> None:
    assert filled(text, OUTPUTS) == value


@pytest.mark.parametrize("name", ["nothing", "database.nothing", "region.host", "test"])
def test_a_reference_to_nothing_is_told(name: str) -> None:
    with pytest.raises(ValueError, match=rf"\$\{{{name}\}} is not among Terraform's outputs"):
        filled(f"${{{name}}}", OUTPUTS)
