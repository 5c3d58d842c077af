from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_progress import Progress
from ansible.module_utils.lyo_release import run_retention
from ansible.module_utils.lyo_release.decide_retention import (
    Definition,
    Image,
    Keep,
    surplus_definitions,
    surplus_images,
)

from .fakes import AWS, DEFINITION, OUTPUTS, REPOSITORY, FakeAws, FakeModule, ended, failure
from .test_schema import Ledger, november, run  # noqa: F401 - the fixture is used
from .world import World, definition

RETENTION = run_retention.Retention
NOW = datetime(2026, 11, 30, tzinfo=UTC)
KEEP = Keep(releases=2, days=30)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def made(number: int, age: float, family: str = "lyo", image: int | None = None) -> Definition:
    """A definition that is so many days old."""
    name = f"repo@{number if image is None else image}"
    return Definition(f"arn/{family}:{number}", family, (name,), days_ago(age), f"v{number}")


def going(definitions: list[Definition], **changes: Any) -> list[str]:
    values: dict[str, Any] = {
        "family": "lyo",
        "one_off": ["lyo-migrate"],
        "in_use": [],
        "served": [],
        "keep": KEEP,
        "now": NOW,
    }
    found = surplus_definitions(definitions, **{**values, **changes})
    return [d.arn.rpartition("/")[2] for d in found]


LINE = [made(number, 100 - number) for number in (1, 2, 3, 4, 5)]
SERVED = [f"arn/lyo:{number}" for number in (5, 4, 3, 2, 1)]


def test_the_last_that_served_stay() -> None:
    assert going(LINE, served=SERVED) == ["lyo:1", "lyo:2", "lyo:3"]
    assert going(LINE[::-1], served=SERVED, keep=Keep(4, 30)) == ["lyo:1"]
    # By when they served, not by their number.
    assert going(LINE, served=["arn/lyo:1", "arn/lyo:4"]) == ["lyo:2", "lyo:3"]


def test_what_runs_stays_though_it_never_served() -> None:
    assert going(LINE, served=SERVED, in_use=["arn/lyo:1", "arn/lyo:2"]) == ["lyo:3"]


def test_the_newest_of_a_family_stays() -> None:
    assert going(LINE) == ["lyo:1", "lyo:2", "lyo:3", "lyo:4"]


@pytest.mark.parametrize(("age", "goes"), [(30, False), (30.1, True), (29.9, False)])
def test_what_is_young_stays(age: float, goes: bool) -> None:
    assert going([made(1, age), made(2, 1)]) == (["lyo:1"] if goes else [])


def test_other_families_are_nobodys_business() -> None:
    others = [made(n, 100 - n, family) for n in (1, 2) for family in ("other", "lyo-bootstrap")]
    assert going(others) == []


def test_a_one_off_task_stays_as_long_as_its_image_does() -> None:
    tasks = [made(n, 90 - n, "lyo-migrate") for n in (1, 4, 5, 6)]
    found = going([*LINE, *tasks], served=SERVED)
    assert found == ["lyo:1", "lyo:2", "lyo:3", "lyo-migrate:1"]
    # A former configuration of the same image goes all the same.
    twice = [made(1, 90, image=7), made(2, 80, image=7), made(3, 70, image=7)]
    assert going(twice, served=["arn/lyo:2"]) == ["lyo:1"]


def test_a_definition_names_itself() -> None:
    assert LINE[0].name == "v1 (lyo:1)"
    assert Definition("arn/lyo:1", "lyo", (), NOW).name == "lyo:1"


# Images.


def pushed(digest: str, age: float, *tags: str) -> Image:
    return Image(f"sha256:{digest}", tags, days_ago(age))


@pytest.mark.parametrize(
    ("image", "used", "goes"),
    [
        (pushed("a", 31), [], True),
        (pushed("a", 30), [], False),
        (pushed("a", 31), ["url@sha256:a"], False),
        (pushed("a", 31, "v1"), ["url:v1"], False),
        (pushed("a", 31, "v2", "v1"), ["url:v1"], False),
        (pushed("a", 31, "Xmas"), ["url:Xmas"], False),
        # The same digest in another repository, or another tag, is another image.
        (pushed("a", 31, "v1"), ["elsewhere@sha256:a", "elsewhere:v1", "url:v2"], True),
        (pushed("a", 31, "v1"), ["url-2@sha256:a", "url-2:v1"], True),
        (pushed("a", 31), ["url@sha256:b"], True),
    ],
)
def test_which_images_go(image: Image, used: list[str], goes: bool) -> None:
    assert (surplus_images([image], "url", used, KEEP, NOW) == [image]) is goes


def test_the_oldest_images_go_first() -> None:
    images = [pushed("a", 40), pushed("c", 60), pushed("b", 60)]
    found = surplus_images(images, "url", [], KEEP, NOW)
    assert [i.digest for i in found] == ["sha256:b", "sha256:c", "sha256:a"]


def test_an_image_names_itself() -> None:
    assert pushed("a", 1, "v1", "latest").name == "v1, latest"
    assert pushed("a", 1).name == "sha256:a"


# The module.


def image(number: int) -> str:
    return f"{REPOSITORY}@sha256:{number:064x}"


@pytest.fixture
def world() -> World:
    """v1 to v4 have served, the last one does; v5 was turned back; each is two months old."""
    world = World()
    for number in range(1, 6):
        content = definition(number, image(number), f"v{number}")
        content["registeredAt"] = days_ago(60)
        world.definitions[number] = content
        world.images[number] = image(number)
        world.remember("ROLLBACK_SUCCESSFUL" if number == 5 else "SUCCESSFUL", number)
    world.serving = world.target = 4
    return world


class Cloud:
    """The world with a repository."""

    def __init__(self, world: World, **more: Any) -> None:
        pushes = [
            {
                "imageDigest": f"sha256:{n:064x}",
                "imageTags": [f"v{n}"],
                "imagePushedAt": days_ago(60),
            }
            for n in range(1, 6)
        ]
        arns = {"taskDefinitionArns": [f"{DEFINITION}:{n}" for n in world.definitions]}
        self.aws: FakeAws = world.aws(
            **{
                **Ledger([run(1)]).answers,
                "list_services": {"serviceArns": ["lyo"]},
                "list_task_definitions": arns,
                "describe_images": {"imageDetails": pushes},
                "deregister_task_definition": {},
                "batch_delete_image": {"imageIds": [], "failures": []},
                **more,
            }
        )


def prune(
    monkeypatch: pytest.MonkeyPatch, aws: FakeAws, *, check_mode: bool = False, **changes: Any
) -> tuple[dict[str, Any], list[str]]:
    params = {
        "aws": AWS,
        "outputs": OUTPUTS,
        "ledger": {"bucket": "b", "prefix": "ledger/"},
        "keep_releases": 2,
        "keep_days": 30,
        "one_off": ["migrate"],
        **changes,
    }
    warnings: list[str] = []
    module = FakeModule(params, check_mode)
    module.warn = warnings.append  # type: ignore[attr-defined]
    monkeypatch.setattr(run_retention, "Aws", lambda _: aws)
    monkeypatch.setattr(
        run_retention, "Retention", lambda a, _, p: RETENTION(a, Progress("test"), p, now=NOW)
    )
    done = ended(run_retention.run, module)
    assert not done.failed, "it never fails"
    return done.answer, warnings


def test_what_nobody_needs_goes(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    aws = Cloud(world).aws
    answer, warnings = prune(monkeypatch, aws)
    # v5 is the family's newest: the next release compares with it.
    assert answer["task_definitions"] == ["v1 (lyo:1)", "v2 (lyo:2)"]
    assert answer["images"] == ["v1", "v2"]
    assert answer["changed"]
    assert warnings == []
    assert aws.written == ["deregister_task_definition"] * 2 + ["batch_delete_image"]
    assert aws.named("deregister_task_definition")[0] == {"taskDefinition": f"{DEFINITION}:1"}
    assert aws.named("batch_delete_image") == [
        {
            "repositoryName": "lyo",
            "imageIds": [{"imageDigest": f"sha256:{n:064x}"} for n in (1, 2)],
        }
    ]


def test_where_all_is_young_the_ledger_is_not_read(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    aws = Cloud(world).aws
    answer, _ = prune(monkeypatch, aws, keep_days=61)
    assert (answer["task_definitions"], answer["images"]) == ([], [])
    assert aws.named("list_objects_v2") == []
    # A single one that is old enough needs all of it.
    world.definitions[1]["registeredAt"] = days_ago(62)
    aws = Cloud(world).aws
    answer, _ = prune(monkeypatch, aws, keep_days=61)
    assert answer["task_definitions"] == ["v1 (lyo:1)"]


def test_a_prediction_writes_nothing(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    aws = Cloud(world).aws
    answer, _ = prune(monkeypatch, aws, check_mode=True)
    assert aws.written == []
    assert (answer["images"], answer["changed"]) == (["v1", "v2"], True)
    assert "v1 (lyo:1)" in answer["diff"]["before"]
    answer, _ = prune(monkeypatch, aws, check_mode=True, keep_days=61)
    assert (answer["changed"], answer["diff"]) == (False, {})


def test_a_deployment_in_progress_keeps_both_its_sides(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    world.serving = 1
    world.begin(2)
    answer, _ = prune(monkeypatch, Cloud(world).aws)
    assert answer["task_definitions"] == []
    assert answer["images"] == []


def test_what_the_ledger_alone_remembers_stays(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    world.past = []
    runs = [
        run(n, release=f"v{n}", task_definition=f"{DEFINITION}:{n}", image=image(n), deployment="")
        for n in (1, 2)
    ]
    answer, _ = prune(monkeypatch, Cloud(world, **Ledger(runs).answers).aws)
    assert answer["task_definitions"] == ["v3 (lyo:3)"]
    assert answer["images"] == ["v3"]


def test_the_image_of_a_release_whose_definition_is_gone_stays(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    del world.definitions[3]
    answer, _ = prune(monkeypatch, Cloud(world).aws)
    assert answer["images"] == ["v1", "v2"]


def test_an_image_of_somebody_elses_definition_stays(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    cloud = Cloud(world)
    theirs = {
        "taskDefinitionArn": "arn:x/other:1",
        "registeredAt": days_ago(300),
        "containerDefinitions": [{"image": f"{REPOSITORY}:v1"}],
    }
    described = cloud.aws.answers["describe_task_definition"]
    cloud.aws.answers["describe_task_definition"] = lambda p: (
        {"taskDefinition": theirs} if p["taskDefinition"] == "arn:x/other:1" else described(p)
    )
    cloud.aws.answers["list_task_definitions"]["taskDefinitionArns"].append("arn:x/other:1")
    answer, _ = prune(monkeypatch, cloud.aws)
    assert answer["task_definitions"] == ["v1 (lyo:1)", "v2 (lyo:2)"]
    assert answer["images"] == ["v2"]


@pytest.mark.parametrize(
    "operation",
    [
        "list_services",
        "list_task_definitions",
        "describe_images",
        "list_service_deployments",
        "list_objects_v2",
    ],
)
def test_where_it_is_not_known_what_is_needed_nothing_goes(
    monkeypatch: pytest.MonkeyPatch, world: World, operation: str
) -> None:
    aws = Cloud(world, **{operation: failure("AccessDenied", "not yours")}).aws
    answer, warnings = prune(monkeypatch, aws)
    assert aws.written == []
    assert not answer["changed"]
    assert "not yours" in warnings[0]


def test_a_refusal_is_a_warning_and_ends_it(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    refusals = [{}, AwsFailure("LockLost", "another run has taken over")]
    aws = Cloud(world, deregister_task_definition=refusals).aws
    answer, warnings = prune(monkeypatch, aws)
    assert answer["task_definitions"] == ["v1 (lyo:1)"]
    assert answer["images"] == []
    assert "v2 (lyo:2) stays: another run has taken over" in warnings[0]
    aws = Cloud(world, batch_delete_image=failure("AccessDenied", "no")).aws
    answer, warnings = prune(monkeypatch, aws)
    assert (answer["images"], warnings) == ([], ["retention: images stay: no"])


def test_an_image_that_ecr_keeps_is_said_unless_it_is_part_of_another(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    def kept(number: int, code: str) -> dict[str, Any]:
        digest = {"imageDigest": f"sha256:{number:064x}"}
        return {"imageId": digest, "failureCode": code, "failureReason": f"because {code}"}

    failures = [kept(1, "ImageReferencedByManifestList"), kept(2, "KmsError")]
    aws = Cloud(world, batch_delete_image={"imageIds": [], "failures": failures}).aws
    answer, warnings = prune(monkeypatch, aws)
    assert answer["images"] == []
    assert [w.partition(" stays: ")[2] for w in warnings] == ["because KmsError"]


def test_one_run_removes_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr(run_retention, "MOST", 1)
    answer, _ = prune(monkeypatch, Cloud(world).aws)
    assert answer["task_definitions"] == ["v1 (lyo:1)"]
    assert answer["images"] == ["v1"]
