"""The cost of what is written down, typed for real: no AWS, no account, no local cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runbooks.test_guard import type_in


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """A shell without a local cloud and with an endpoint that answers nobody."""
    return {"LOCALCLOUD_STATE": str(tmp_path / "none")}


def test_production_is_priced_without_an_account(tmp_path: Path, nowhere: dict[str, str]) -> None:
    file = tmp_path / "cost.json"
    code, output = type_in(
        "cost.yml", "-e", "env=production", "-e", f"output={file}", more=nowhere, timeout=240
    )
    assert code == 0, output
    report = json.loads(file.read_text())
    assert report["environment"] == "production"
    assert report["not_priced"] == []
    assert f"total {report['total']:,.2f}" in output
    assert f"{report['budget']:.2f} {report['total']:.2f} {report['over_budget']:+.2f}" in output


def test_above_the_budget_is_a_failure_where_that_was_asked_for(nowhere: dict[str, str]) -> None:
    many = json.dumps({"lyo_cost_usage": {"restaurants": 100000}, "fail_over_budget": True})
    code, output = type_in("cost.yml", "-e", "env=local", "-e", many, more=nowhere, timeout=240)
    assert code == 2
    assert "local costs about" in output
    assert "over the budget of 177.00" in output


def test_an_assumption_that_nobody_makes_is_told(nowhere: dict[str, str]) -> None:
    wrong = json.dumps({"lyo_cost_usage": {"restaurant": 5}})
    code, output = type_in("cost.yml", "-e", "env=staging", "-e", wrong, more=nowhere, timeout=240)
    assert code == 2
    assert "lyo_cost_usage names 'restaurant'" in output
