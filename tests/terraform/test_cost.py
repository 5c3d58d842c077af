"""The cost estimate against Terraform: every type has a price, and savings are what Terraform plans."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from module_utils.lyo_cost import report, savings, tables
from module_utils.lyo_cost.estimate import Estimator
from module_utils.lyo_cost.resources import Environment, from_plan
from module_utils.lyo_cost.rules import RULES
from tests.terraform.conftest import ROOT, PlanOf, Run, plan_documents

PRICES = ROOT / "prices"
SAVINGS = savings.load(PRICES / "savings.toml")
AS_VARIABLES = [saving for saving in SAVINGS if saving.terraform]


@pytest.fixture(scope="module")
def production(environment_plan: PlanOf) -> Environment:
    """What production's variables come to."""
    return from_plan(environment_plan("production"))


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(
        tables.prices(PRICES / "aws.toml"),
        tables.free_types(PRICES / "types.toml"),
        tables.usage(PRICES / "usage.toml", {}),
        "eu-south-1",
    )


def test_every_type_of_resource_is_priced_or_known_to_be_free() -> None:
    used: dict[str, Path] = {}
    for file in (ROOT / "terraform").rglob("*.tf"):
        for kind in re.findall(r'^resource "(\w+)"', file.read_text(), re.MULTILINE):
            used.setdefault(kind, file)
    free = tables.free_types(PRICES / "types.toml")
    unknown = {kind: file.name for kind, file in used.items() if kind not in {*free, *RULES}}
    assert not unknown, "these need a rule in module_utils/lyo_cost, or a row in prices/types.toml"
    assert not set(free) & set(RULES), "priced and free"


def test_nothing_of_production_is_left_unpriced(
    production: Environment, estimator: Estimator
) -> None:
    assert estimator.estimate(production).unpriced == ()


def test_the_page_on_the_cost_is_current(production: Environment) -> None:
    made = report.make(PRICES, production, "production", "eu-south-1", "plan", {})
    page = (ROOT / "docs/cost.md").read_text()
    assert page.split(report.MARKER)[1].strip() == report.markdown(made).strip(), (
        "docs/cost.md is not what the configuration costs now; type: scripts/cost-docs"
    )


def merged(assignment: str) -> str:
    """An assignment of a root variable whose other attributes stay as the tfvars set them."""
    name, value = re.fullmatch(r"(\w+) = (.+)", assignment).groups()  # type: ignore[union-attr]
    return f"{name} = merge(var.{name}, {value})"


@pytest.fixture(scope="module")
def planned_savings(terraform: Run, configuration: Path) -> dict[str, Environment]:
    """What Terraform plans with each saving's variable, by the number of its run."""
    # As staging: production refuses some of these, and a name costs nothing.
    text = (ROOT / "terraform/tests/environments/plan.tftest.hcl").read_text().split("run ")[0]
    for number, saving in enumerate(AS_VARIABLES):
        text += f"""
run "saving_{number}" {{
  command = plan
  variables {{
    environment = "staging"
    {merged(saving.terraform)}
  }}
}}
"""
    folder = configuration / "tests/savings"
    folder.mkdir()
    (folder / "savings.tftest.hcl").write_text(text)
    found = plan_documents(
        terraform, "-test-directory=tests/savings", "-var-file=production.tfvars"
    )
    return {name: from_plan(plan) for name, plan in found.items()}


@pytest.mark.parametrize("number", range(len(AS_VARIABLES)))
def test_a_saving_is_what_terraform_plans(
    planned_savings: dict[str, Environment],
    production: Environment,
    estimator: Estimator,
    number: int,
) -> None:
    saving = AS_VARIABLES[number]
    ours = savings.estimate_with(estimator, production, [saving])
    theirs = estimator.estimate(planned_savings[f"saving_{number}"])
    assert round(ours.total, 2) == round(theirs.total, 2), saving.name
    saved = estimator.estimate(production).total - ours.total
    assert (saved > savings.NOTHING) != (saving.variable in NOT_IN_PRODUCTION), saving.name


# Production has no interface endpoints, and its few flow logs are within the free 5 GB.
NOT_IN_PRODUCTION = ("network.interface_endpoints", "network.flow_logs.enabled")
