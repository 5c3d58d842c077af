from __future__ import annotations

from typing import Any

from ansible.module_utils.lyo_migration.contraction import Target, broken, former_releases
from ansible.module_utils.lyo_migration.targets import read
from ansible.module_utils.lyo_release.schema import Schema
from ansible.module_utils.lyo_release.task_definition import RELEASE_LABEL, SCHEMA_LABEL

from .world import World, definition

AFTER = Schema("0003", ("0002", "0003"), ("0001",))
LEDGER: dict[str, Any] = {"list_objects_v2": {"Contents": []}}


def numbered(number: int, schema: str) -> dict[str, Any]:
    found = definition(number, release=f"v{number}")
    found["containerDefinitions"][0]["image"] = f"booking@sha256:{str(number) * 64}"
    found["containerDefinitions"][0]["dockerLabels"] = {
        RELEASE_LABEL: f"v{number}",
        **({SCHEMA_LABEL: schema} if schema else {}),
    }
    return found


def world(serving: int = 3) -> World:
    found = World()
    found.definitions = {
        1: numbered(1, "0001"),
        2: numbered(2, "0002"),
        3: numbered(3, "0002 0003"),
    }
    found.images = dict.fromkeys(found.definitions, found.images[1])
    found.serving = found.target = serving
    for number in range(1, serving + 1):
        found.remember("SUCCESSFUL", number)
    return found


def targets(found: World, keep: int = 1) -> list[tuple[str, str]]:
    return [(t.name, t.why) for t in read(found.aws(**LEDGER), "lyo", "lyo", None, keep)]


def test_what_serves_and_what_served_before_may_be_wanted() -> None:
    found = targets(world())
    assert [name.split()[0] for name, _ in found] == ["v3", "v2"]
    assert [why for _, why in found] == ["carries the traffic", "can be rolled back to"]
    assert [name.split()[0] for name, _ in targets(world(), keep=2)] == ["v3", "v2", "v1"]


def test_both_sides_of_a_deployment_in_progress_may_be_wanted() -> None:
    found = world(serving=2)
    found.begin(3)
    names = {name.split()[0]: why for name, why in targets(found, keep=0)}
    assert names == {"v3": "is being deployed", "v2": "carries the traffic"}


def test_a_release_that_was_deployed_again_counts_once() -> None:
    images = {"a3": "three", "b2": "two", "a2": "two", "b3": "three", "a1": "one", "a0": "zero"}

    def former(*before: str, keep: int) -> list[str]:
        return former_releases(before, ["a3"], keep, images.__getitem__)

    # Another definition of what serves is no other release.
    assert former("b3", "b2", "a2", "a1", keep=1) == ["b3", "b2", "a2"]
    assert former("b2", "a1", "a2", "a0", keep=2) == ["b2", "a1", "a2"]
    assert former("a3", "b3", "b2", keep=0) == ["b3"]


def test_without_a_service_nobody_is_in_the_way() -> None:
    assert read(world().aws(describe_services={"services": []}), "lyo", "lyo", None, 1) == []


def test_a_release_that_the_contracted_schema_no_longer_serves_is_in_the_way() -> None:
    good = Target("v3", "carries the traffic", ("0002", "0003"))
    old = Target("v1", "can be rolled back to", ("0001",))
    assert broken([good], AFTER) == []
    [line] = broken([good, old], AFTER)
    assert line == (
        "v1 can be rolled back to and runs on 0001; contracted to 0003, the schema serves 0002 or 0003"
    )
    [line] = broken([Target("v0", "served before", ("0000", "0001"))], AFTER)
    assert "runs on 0000 or 0001; contracted" in line


def test_a_release_that_does_not_say_what_it_runs_on_is_in_the_way() -> None:
    [line] = broken([Target("v0", "carries the traffic", ())], AFTER)
    assert "does not say which schema it runs on" in line
    old = Target("v1", "can be rolled back to", ("0001",))
    lines = broken([Target("v0", "carries the traffic", ()), old], AFTER)
    assert [text.split()[0] for text in lines] == ["v0", "v1"]
