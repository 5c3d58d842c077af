"""Which phases are chosen by what somebody types."""

from __future__ import annotations

from typing import Any

import pytest

from filter_plugins.lyo_phases import lyo_phases

NAMES = ["foundation", "database", "application", "guards", "dns", "application_deployment"]


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        (None, NAMES),
        ("database", ["database"]),
        ("dns, database", ["database", "dns"]),
        (["6", "database"], ["database", "application_deployment"]),
        ([1, "dns"], ["foundation", "dns"]),
        (2, ["database"]),
        ("2,database,", ["database"]),
    ],
)
def test_names_and_numbers_are_read_in_any_order(typed: Any, chosen: list[str]) -> None:
    assert lyo_phases(typed, NAMES) == {"chosen": chosen, "problem": ""}


@pytest.mark.parametrize("typed", ["databse", "0", "7", ["database", "x"], "infra, database"])
def test_an_unknown_phase_is_told_with_the_list(typed: Any) -> None:
    problem = lyo_phases(typed, NAMES, "staging")["problem"]
    assert problem.startswith("There is no phase '")
    assert "1 foundation, 2 database" in problem
    assert "deploy.yml -e env=staging -e phases=database,dns" in problem


@pytest.mark.parametrize("typed", ["", " , ", []])
def test_an_empty_choice_is_told(typed: Any) -> None:
    assert lyo_phases(typed, NAMES)["problem"].startswith("-e phases= names none.")
