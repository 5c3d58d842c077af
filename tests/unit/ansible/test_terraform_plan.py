from __future__ import annotations

from typing import Any

import pytest

from module_utils.lyo_terraform import plan as decide
from module_utils.lyo_terraform.plan import Phase, PlanRefused, Stage

from .plan_documents import FIRST_DEPLOYMENT, document, resource

PHASES = [
    Phase("foundation", ("vpc",)),
    Phase("database", ("database",)),
    Phase("application", ("application",)),
    Phase("guards", ("security", "monitoring")),
    Phase("names", ("dns",)),
]
ALL = [phase.name for phase in PHASES]
DATABASE = "module.database.aws_db_instance.this"


def stages_of(*resources: dict[str, Any], chosen: list[str] = ALL, **rest: Any) -> list[Stage]:
    return decide.stages(decide.read(document(*resources, **rest)), PHASES, chosen)


def test_a_plan_has_the_managed_resources_that_change() -> None:
    plan = decide.read(FIRST_DEPLOYMENT)
    assert [(c.address, c.module, c.action) for c in plan.changes] == [
        ("module.vpc.aws_vpc.this", "vpc", "create"),
        ("module.vpc.aws_subnet.private", "vpc", "create"),
        (DATABASE, "database", "create"),
        ("module.application.aws_ecs_cluster.this", "application", "create"),
        ("aws_ssm_parameter.outputs", "", "create"),
    ]
    assert plan.outputs == ("api_url",)
    assert not plan.empty


def test_nothing_to_change_is_an_empty_plan_without_phases() -> None:
    plan = decide.read(
        document(
            resource("module.vpc.aws_vpc.this", "no-op"),
            output_changes={"api_url": {"actions": ["no-op"]}},
        )
    )
    assert plan.empty
    assert decide.changed_phases(plan, PHASES) == []
    assert decide.stages(plan, PHASES, ALL) == []


@pytest.mark.parametrize(
    ("actions", "name"),
    [
        (["update"], "update"),
        (["delete", "create"], "replace"),
        (["create", "delete"], "replace"),
        (["delete"], "delete"),
        (["forget"], "forget"),
    ],
)
def test_actions(actions: list[str], name: str) -> None:
    assert decide.read(document(resource(DATABASE, *actions))).changes[0].action == name


def test_a_moved_and_an_imported_resource_change_the_state() -> None:
    moved = {**resource(DATABASE, "no-op"), "previous_address": "module.db.aws_db_instance.this"}
    imported = resource("module.vpc.aws_vpc.this", "no-op", importing={"id": "vpc-1"})
    assert [c.action for c in decide.read(document(moved, imported)).changes] == ["move", "import"]


@pytest.mark.parametrize(
    ("address", "module"),
    [
        ("module.vpc", "vpc"),
        ('module.vpc["a.b"].module.subnets', "vpc"),
        ("module.database.module.application", "database"),
        ("", ""),
    ],
)
def test_top_module(address: str, module: str) -> None:
    assert decide.top_module(address) == module


def test_changed_attributes_show_values_but_no_secret() -> None:
    change = resource(
        DATABASE,
        "update",
        before={"class": "small", "password": "old", "tags": {"a": "1"}, "same": 1, "nested": [1]},
        after={"class": "large", "password": "new", "tags": {"a": "2"}, "same": 1, "nested": [2]},
        after_unknown={"arn": True, "address": False},
        before_sensitive={"password": True, "nested": [True]},
        after_sensitive={"password": True},
    )
    (found,) = decide.read(document(change)).changes
    assert [(a.name, a.before, a.after) for a in found.attributes] == [
        ("arn", None, decide.UNKNOWN),
        ("class", "small", "large"),
        ("nested", decide.SENSITIVE, decide.SENSITIVE),
        ("password", decide.SENSITIVE, decide.SENSITIVE),
        ("tags", {"a": "1"}, {"a": "2"}),
    ]


def test_a_wholly_sensitive_resource_shows_nothing() -> None:
    change = resource(
        DATABASE, "update", before={"x": "old"}, after={"x": "new"}, before_sensitive=True
    )
    (attribute,) = decide.read(document(change)).changes[0].attributes
    assert (attribute.before, attribute.after) == (decide.SENSITIVE, decide.SENSITIVE)


def test_drift_names_what_was_changed_outside_and_is_put_back() -> None:
    changed = resource(
        DATABASE,
        "update",
        before={"backup_retention_period": 14, "latest_restorable_time": "1"},
        # What RDS itself changes is not drift.
        after={"backup_retention_period": 0, "latest_restorable_time": "2"},
    )
    gone = resource("module.vpc.aws_subnet.private", "delete", before={"id": "subnet-1"})
    weights = resource("module.application.aws_lb_listener_rule.a", "update", after={"w": 1})
    put_back = [
        resource(
            DATABASE,
            "update",
            before={"backup_retention_period": 0},
            after={"backup_retention_period": 14},
        ),
        resource("module.vpc.aws_subnet.private", "create"),
    ]
    plan = decide.read(document(*put_back, resource_drift=[changed, gone, weights]))
    assert plan.drift == (
        {
            "address": DATABASE,
            "attribute": "backup_retention_period",
            "current": 0,
            "desired": 14,
        },
        {
            "address": "module.vpc.aws_subnet.private",
            "attribute": "",
            "current": "deleted",
            "desired": "present",
        },
    )


def test_growth_is_applied_a_phase_at_a_time_and_the_last_takes_the_rest() -> None:
    assert decide.stages(decide.read(FIRST_DEPLOYMENT), PHASES, ALL) == [
        Stage(("foundation",), ("module.vpc",)),
        Stage(("database",), ("module.database",)),
        Stage(("application",)),
    ]


def test_one_changed_phase_is_the_whole_plan() -> None:
    assert stages_of(resource(DATABASE, "update")) == [Stage(("database",))]


def test_only_modules_that_change_are_targets() -> None:
    first, _ = stages_of(
        resource("module.monitoring.aws_sns_topic.a", "create"),
        resource("module.dns.aws_route53_zone.a", "create"),
    )
    assert first == Stage(("guards",), ("module.monitoring",))


def test_what_no_phase_names_alone_belongs_to_the_last() -> None:
    assert stages_of(resource("aws_ssm_parameter.outputs", "update")) == [Stage(("names",))]
    assert stages_of(output_changes={"url": {"actions": ["update"]}}) == [Stage(("names",))]


def test_what_no_phase_names_goes_with_the_last_phase_that_changes() -> None:
    changes = [resource("aws_ssm_parameter.outputs", "update"), resource(DATABASE, "update")]
    plan = decide.read(document(*changes, output_changes={"url": {"actions": ["update"]}}))
    assert decide.changed_phases(plan, PHASES) == ["database"]
    assert decide.stages(plan, PHASES, ALL) == [Stage(("database",))]


DNS = resource("module.dns.aws_route53_zone.a", "update")


def test_what_is_not_chosen_stays_pending() -> None:
    plan = decide.read(FIRST_DEPLOYMENT)
    chosen = ["database", "foundation", "names"]
    assert decide.split(plan, PHASES, chosen) == (["foundation", "database"], ["application"])
    # Every stage has targets: the outputs belong to what is not chosen.
    assert decide.stages(plan, PHASES, chosen) == [
        Stage(("foundation",), ("module.vpc",)),
        Stage(("database",), ("module.database",)),
    ]


def test_a_choice_of_everything_that_changes_leaves_nothing_pending() -> None:
    assert stages_of(resource(DATABASE, "update"), DNS, chosen=["names", "database"]) == [
        Stage(("database",), ("module.database",)),
        Stage(("names",)),
    ]


def test_a_choice_without_a_change_does_nothing() -> None:
    assert stages_of(DNS, chosen=["database"]) == []


def test_a_plan_that_takes_something_away_is_not_cut() -> None:
    replaced = resource("module.database.aws_db_subnet_group.a", "delete", "create")
    with pytest.raises(PlanRefused, match=r"replace module\.database.*-e phases=database,names "):
        stages_of(replaced, DNS, chosen=["database"])
    # Nothing of the choice takes anything away.
    assert stages_of(replaced, DNS, chosen=["names"]) == [Stage(("names",), ("module.dns",))]
    assert stages_of(replaced, DNS, chosen=["names", "database"]) == [Stage(("database", "names"))]


def test_a_chosen_phase_takes_nothing_away_that_it_depends_on() -> None:
    approved = decide.read(document(resource("module.vpc.aws_subnet.a", "delete", "create"), DNS))
    part = decide.read(document(resource("module.vpc.aws_subnet.a", "delete", "create")))
    decide.refuse_surprises(approved, part)
    with pytest.raises(PlanRefused, match=r"depends on .* replace module\.vpc\.aws_subnet\.a"):
        decide.refuse_surprises(approved, part, limited=True)


@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["forget"]])
def test_a_plan_that_takes_something_away_keeps_terraforms_own_order(actions: list[str]) -> None:
    assert stages_of(
        resource("module.vpc.aws_subnet.private", *actions), resource(DATABASE, "update")
    ) == [Stage(("foundation", "database"))]


@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]])
def test_what_holds_data_is_destroyed_only_when_named(actions: list[str]) -> None:
    plan = decide.read(document(resource(DATABASE, *actions)))
    with pytest.raises(
        PlanRefused, match=r"module\.database\.aws_db_instance\.this.*allow_destroy"
    ):
        decide.refuse_destruction(plan, [])
    decide.refuse_destruction(plan, [DATABASE])


def test_a_zone_in_use_is_destroyed_only_when_named() -> None:
    zone = "module.dns.aws_route53_zone.this[0]"
    with pytest.raises(PlanRefused, match="aws_route53_zone"):
        decide.refuse_destruction(decide.read(document(resource(zone, "delete", "create"))), [])


def test_a_database_that_was_deleted_outside_is_not_made_anew_and_empty() -> None:
    gone = resource(DATABASE, "delete")
    plan = decide.read(document(resource(DATABASE, "create"), resource_drift=[gone]))
    with pytest.raises(PlanRefused, match=r"made anew, empty.*restore\.yml.*allow_destroy"):
        decide.refuse_empty_database(plan, [])
    decide.refuse_empty_database(plan, [DATABASE])
    # A first deployment makes one too, and one that a restore took the place of is not made again.
    decide.refuse_empty_database(decide.read(FIRST_DEPLOYMENT), [])
    decide.refuse_empty_database(decide.read(document(resource_drift=[gone])), [])


def test_what_holds_no_data_may_go() -> None:
    decide.refuse_destruction(
        decide.read(document(resource("module.vpc.aws_subnet.private", "delete"))), []
    )


def test_a_stage_may_do_less_than_planned_but_nothing_else() -> None:
    approved = decide.read(FIRST_DEPLOYMENT)
    part = decide.read(document(resource("module.vpc.aws_vpc.this", "create")))
    decide.refuse_surprises(approved, part)
    replaced = decide.read(document(resource("module.vpc.aws_vpc.this", "delete", "create")))
    with pytest.raises(PlanRefused, match=r"replace module\.vpc\.aws_vpc\.this"):
        decide.refuse_surprises(approved, replaced)
