"""Classic dangerous migrations, each stopped by its rule with its recipe; the safe counterpart passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from module_utils.lyo_migration.lint import Migration, lint
from module_utils.lyo_migration.recipes import RECIPES, recipe

CASES = Path(__file__).with_name("cases")
NAMES = sorted(p.name.removesuffix(".safe.sql") for p in CASES.glob("*.safe.sql"))
VERSION = "18.0"


def head(text: str, name: str) -> str:
    match = re.search(rf"^-- {name}:[ ]*(.*)$", text, re.MULTILINE)
    return match.group(1).strip() if match else ""


def read(file: str) -> tuple[str, Migration]:
    text = (CASES / file).read_text()
    return text, Migration("0009", head(text, "kind"), file, text)


def test_there_are_at_least_25_and_each_has_both_files() -> None:
    assert len(NAMES) >= 25
    assert {p.name for p in CASES.iterdir()} == {
        f"{name}{end}" for name in NAMES for end in (".sql", ".safe.sql")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_dangerous_migration_is_stopped_with_its_recipe(name: str) -> None:
    text, migration = read(f"{name}.sql")
    found = [r for r in lint([migration], VERSION) if not r.reason]
    assert head(text, "expect") in {r.rule for r in found}
    shown = "\n".join(line for r in found if r.rule == head(text, "expect") for line in r.lines())
    assert head(text, "recipe")
    assert head(text, "recipe") in shown


@pytest.mark.parametrize("name", NAMES)
def test_the_safe_counterpart_passes(name: str) -> None:
    _, migration = read(f"{name}.safe.sql")
    assert [r for r in lint([migration], VERSION) if not r.reason] == []


def test_every_rule_with_a_recipe_has_a_case() -> None:
    expected = {head(read(f"{name}.sql")[0], "expect") for name in NAMES}
    told_elsewhere = {"bad-allow"}  # tests/unit/modules/test_migration_lint.py
    assert set(RECIPES) - expected - told_elsewhere == set()
    assert all(recipe(rule).steps for rule in RECIPES)
