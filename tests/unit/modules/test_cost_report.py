"""Budget, savings, the ways to the budget, and the report for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils.lyo_cost import report, savings, tables
from ansible.module_utils.lyo_cost.savings import Saving

from .cost_world import environment, estimator, price, resource

ROOT = Path(__file__).resolve().parents[3]
PRICES = ROOT / "prices"

ESTIMATOR = estimator(price("secret-month", 10.0), price("public-ipv4-hour", 0.3))
# Three secrets of 10 and two addresses of 30: 90 USD.
ENVIRONMENT = environment(
    *(resource("aws_secretsmanager_secret", name) for name in "abc"),
    *(resource("aws_eip", name) for name in "ab"),
)


def drop(address: str, *, standby: bool = False, refused: bool = False) -> Saving:
    step = {"op": "drop", "address": address}
    return Saving(address, "gone", "it", (step,), standby=standby, refused=refused)


def ways(budget: float, *found: Saving) -> savings.Way | None:
    possible = savings.possible(ESTIMATOR, ENVIRONMENT, found)
    return savings.fewest(ESTIMATOR, ENVIRONMENT, savings.acceptable(possible), budget)


def test_savings_are_estimated_and_sorted_and_those_of_nothing_are_left_out() -> None:
    found = savings.possible(
        ESTIMATOR, ENVIRONMENT, [drop("secret.a"), drop("aws_eip"), drop("nothing")]
    )
    assert [(saving.variable, round(usd, 2)) for saving, usd in found] == [
        ("aws_eip", 60.0),
        ("secret.a", 10.0),
    ]


def test_the_fewest_changes_reach_the_budget_and_save_no_more_than_they_have_to() -> None:
    one = ways(65, drop("secret.a"), drop("aws_eip"), drop("eip.a"))
    assert one is not None
    assert [saving.variable for saving in one.savings] == ["eip.a"]
    assert round(one.total, 2) == 60
    two = ways(52, drop("secret.a"), drop("secret.b"), drop("eip.a"))
    assert two is not None
    assert {saving.variable for saving in two.savings} == {"eip.a", "secret.a"}


def test_a_standby_is_not_given_up_for_the_budget() -> None:
    assert ways(30, drop("aws_eip", standby=True), drop("secret.a")) is None
    assert ways(30, drop("aws_eip", refused=True), drop("secret.a")) is None
    assert ways(30, drop("aws_eip"), drop("secret.a")) is not None


def test_within_the_budget_nothing_has_to_change() -> None:
    found = ways(90, drop("aws_eip"))
    assert found is not None
    assert found.savings == ()


def test_every_way_to_change_an_environment() -> None:
    steps = (
        {"op": "keep", "type": "aws_eip", "count": 1},
        {"op": "set", "type": "aws_eip", "attribute": "domain", "value": "vpc"},
        {"op": "output", "name": "cpu", "value": 256},
    )
    changed = ENVIRONMENT
    for step in steps:
        changed = savings.STEPS[step["op"]](changed, step)
    assert [entry.attributes for entry in changed.of("aws_eip")] == [{"domain": "vpc"}]
    assert len(changed.of("aws_secretsmanager_secret")) == 3
    assert changed.outputs["cpu"] == 256
    hours = Saving("hours", "0", "time", ({"op": "usage", "name": "hours", "value": 0},))
    assert savings.estimate_with(ESTIMATOR, ENVIRONMENT, [hours]).total == 30


# The tables.


def test_the_tables_of_the_repository_can_be_used() -> None:
    found = tables.prices(PRICES / "aws.toml")
    assert all(entry.source.startswith("https://aws.amazon.com/") for entry in found.values())
    assert all(
        entry.note
        for entry in found.values()
        if entry.basis == "derived" and not entry.id.startswith(("rds-db", "cache-valkey", "alb-"))
    )
    assert tables.budget(PRICES / "budget.toml").usd == 177
    assert savings.load(PRICES / "savings.toml")
    usage = tables.usage(PRICES / "usage.toml", {})
    assert usage["hours"] == 730
    assert usage["restaurants"] == 100


def test_every_assumption_says_why() -> None:
    entries = tables.read(PRICES / "usage.toml")["usage"]
    assert all(entry["why"] and entry["unit"] for entry in entries.values())


def write(folder: Path, text: str) -> Path:
    path = folder / "table.toml"
    path.write_text(text)
    return path


PRICE = """[[price]]
id = "a"
region = "global"
usd = {usd}
unit = "unit"
source = "https://aws.amazon.com/"
as_of = 2026-01-01
basis = "{basis}"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PRICE.format(usd=0, basis="published"), "usd must be above 0"),
        (PRICE.format(usd=1, basis="guess"), "basis must be one of"),
        (PRICE.format(usd=1, basis="general") * 2, "is there twice"),
        ('[[price]]\nid = "a"\n', "price 'a'"),
        ("price =", "is no TOML"),
    ],
)
def test_a_bad_price_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(tables.BadTableError, match=message):
        tables.prices(write(tmp_path, text))


def test_a_budget_must_add_up(tmp_path: Path) -> None:
    lines = '[[line]]\nname = "a"\nusd = 4\nwhy = "x"\n'
    with pytest.raises(tables.BadTableError, match=r"add up to 4\.00, not to 5\.00"):
        tables.budget(write(tmp_path, "usd_a_month = 5\n" + lines))


def test_a_saving_must_change_in_a_known_way(tmp_path: Path) -> None:
    text = '[[saving]]\nvariable = "v"\nvalue = "1"\ngives_up = "x"\nchange = [{op = "guess"}]\n'
    with pytest.raises(tables.BadTableError, match="unknown op"):
        savings.load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"restaurant": 5}, "lyo_cost_usage names 'restaurant'.*It knows:.*restaurants"),
        ({"restaurants": "many"}, "restaurants must be a number, not 'many'"),
        ({"restaurants": -1}, "must not be below 0"),
    ],
)
def test_a_bad_assumption_is_told(override: dict[str, object], message: str) -> None:
    with pytest.raises(tables.BadTableError, match=message):
        tables.usage(PRICES / "usage.toml", override)


def test_an_assumption_of_the_inventory_wins() -> None:
    assert tables.usage(PRICES / "usage.toml", {"restaurants": "250"})["restaurants"] == 250
    assert (
        tables.usage(PRICES / "usage.toml", {"task_architecture": "ARM64"})["task_architecture"]
        == "ARM64"
    )


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(tables.BadTableError, match=r"gone\.toml cannot be read"):
        tables.read(tmp_path / "gone.toml")


# The report.


@pytest.fixture
def small() -> report.Report:
    """Two NAT gateways, their addresses, a type without a price; the repository's tables."""
    resources = environment(
        *(resource("aws_nat_gateway", name) for name in "ab"),
        *(resource("aws_eip", name) for name in "ab"),
        resource("aws_msk_cluster"),
    )
    return report.make(PRICES, resources, "production", "eu-south-1", "plan", {})


def test_two_gateways_cost_more_than_their_line(small: report.Report) -> None:
    line = next(c for c in small.comparisons if c.line == "NAT gateways")
    assert round(line.estimate, 2) == round(2 * 0.05 * 730 + 20 * 0.05, 2)
    assert line.over > 30


def test_the_budget_s_lines_are_all_there_and_add_up(small: report.Report) -> None:
    assert round(sum(c.budget for c in small.comparisons), 2) == 177
    assert round(sum(c.estimate for c in small.comparisons), 2) == round(small.estimate.total, 2)


@pytest.mark.parametrize("width", [50, 78, 120])
def test_the_text_keeps_to_the_width_and_its_columns_are_aligned(
    small: report.Report, width: int
) -> None:
    lines = report.text(small, width)
    assert max(map(len, lines)) <= width
    head = next(line for line in lines if line.startswith("price"))
    body = [line for line in lines if line.startswith(("nat-", "public-", "total"))]
    assert {len(line) for line in body[:3]} == {len(head)}


def test_the_text_says_what_is_not_priced(small: report.Report) -> None:
    text = "\n".join(report.text(small))
    assert "Not priced, so not in the total (1):\n  aws_msk_cluster.this: no rule prices it" in text
    assert report.one_line(small).endswith("below the budget of 177.00, 1 not priced")


def test_a_budget_that_nothing_reaches_is_told() -> None:
    # Nine gateways of which one change keeps one: still nothing against all those addresses.
    many = environment(*(resource("aws_eip", str(number)) for number in range(100)))
    found = report.make(PRICES, many, "production", "eu-south-1", "plan", {})
    assert found.way is not None, "the addresses can be given back"
    stuck = environment(*(resource("aws_secretsmanager_secret", str(n)) for n in range(1000)))
    found = report.make(PRICES, stuck, "production", "eu-south-1", "plan", {})
    assert found.way is None
    assert "No set of the changes that production accepts reaches 177.00" in " ".join(
        report.text(found)
    )
    assert report.one_line(found) == ("about 400.00 USD a month, 223.00 over the budget of 177.00")


def test_the_data_can_be_written_as_json(small: report.Report) -> None:
    import json

    data = json.loads(json.dumps(small.as_dict()))
    assert data["total"] == round(small.estimate.total, 2)
    assert data["over_budget"] == round(small.estimate.total - 177, 2)
    assert data["not_priced"][0]["type"] == "aws_msk_cluster"
    assert {entry["change"] for entry in data["savings"]} >= {"network.nat_gateways = 1"}


def test_amounts_of_nothing_have_no_sign() -> None:
    assert report.signed(-0.001) == "0.00"
    assert report.signed(12.345) == "+12.35"
    assert report.usd(-0.0) == "0.00"
    assert report.number(1460.0) == "1,460"
    assert report.number(0.000005) == "0.00001"
