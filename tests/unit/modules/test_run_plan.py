from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_image import run_image
from ansible.module_utils.lyo_release import run_plan, task_definition

from .fakes import (
    AWS,
    DEFINITION,
    DIGEST_1,
    DIGEST_2,
    IMAGE_1,
    IMAGE_2,
    OUTPUTS,
    REPOSITORY,
    STRATEGY,
    TASK,
    Ended,
    FakeAws,
    FakeModule,
    ended,
    failure,
    outputs_answer,
)
from .test_schema import (  # the fixture is used
    CONTRACTED,
    EXPANDED,
    Ledger,
    Schema,
    november,  # noqa: F401
    run,
    told,
)
from .world import World, definition

TOML = """
[image]
entrypoint = ["python"]
[layers]
app = ["app.py"]
[releases.v1]
[releases.v2]
"""


@pytest.fixture
def app(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "image.toml").write_text(TOML)
    (tmp_path / "app.py").write_text("print()")
    return {
        "path": str(tmp_path),
        "image_toml": "image.toml",
        "builder": "process",
        "dockerfile": "Dockerfile",
        "default_release": "v1",
        "dashboard": None,
    }


INFRA = {
    "force": "auto",
    "paths": [],
    "variables": {},
    "max_age_hours": 24,
    "bucket": None,
    "state_key": "state",
    "marker_key": "marker",
}


def plan(
    monkeypatch: pytest.MonkeyPatch, aws: FakeAws, app: dict[str, Any], **changes: Any
) -> Ended:
    params = {
        "aws": AWS,
        "env": "local",
        "release": None,
        "image": None,
        "app": app,
        "outputs_parameter": None,
        "task": TASK,
        "deployment": STRATEGY,
        "infra": INFRA,
        "in_progress": "refuse",
        "ledger": None,
        "force_schema": None,
        "live": False,
        **changes,
    }
    monkeypatch.setattr(run_plan, "Aws", lambda _: aws)
    done = ended(run_plan.run, FakeModule(params))
    assert aws.written == []
    return done


def images(digests: dict[str, str]) -> Any:
    """DescribeImages of a repository with these tags or digests."""

    def answer(params: dict[str, Any]) -> Any:
        if "imageIds" not in params:
            return {
                "imageDetails": [
                    {"imageTags": [tag], "imagePushedAt": f"2026-01-0{i}"}
                    for i, tag in enumerate(digests, 1)
                ]
            }
        name = params["imageIds"][0]
        known = {**digests, **{digest: digest for digest in digests.values()}}
        found = known.get(name.get("imageTag", name.get("imageDigest")))
        if found is None:
            return failure("ImageNotFoundException")
        tags = [tag for tag, digest in digests.items() if digest == found and tag != found]
        return {"imageDetails": [{"imageDigest": found, "imageTags": tags}]}

    return answer


OUTPUT_PARAMETER = outputs_answer(OUTPUTS)


def world_aws(world: World, app: dict[str, Any], **more: Any) -> FakeAws:
    """The service; the images of v1 and v2 exist."""
    tags = {
        run_image.wanted_tag(app, "v1")[0]: DIGEST_1,
        run_image.wanted_tag(app, "v2")[0]: DIGEST_2,
    }
    answers = {"get_parameters": OUTPUT_PARAMETER, "describe_images": images(tags)}
    return world.aws(**{**answers, **more})


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_live_needs_nothing(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    done = plan(monkeypatch, world_aws(world, app), app)
    assert done.answer["steps"] == []
    assert done.answer["verdict_if_nothing"] == "UNCHANGED"
    assert done.answer["wanted"]["release"] == "v1"
    assert done.answer["wanted"]["image"] == IMAGE_1
    assert done.answer["current"]["image"] == IMAGE_1
    assert done.answer["diff"] == {}
    assert done.answer["outputs"] == OUTPUTS


def test_another_release(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    done = plan(monkeypatch, world_aws(world, app), app, release="v2")
    assert done.answer["steps"] == ["migrate", "deploy", "verify"]
    assert done.answer["wanted"]["image"] == IMAGE_2
    assert done.answer["current"]["release"] == "v1"
    assert IMAGE_2 in done.answer["diff"]["after"]
    assert not done.answer["changed"]


def test_a_release_that_is_not_built_yet(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    aws = world_aws(world, app, describe_images=images({}))
    done = plan(monkeypatch, aws, app, release="v2")
    assert done.answer["steps"] == ["image", "migrate", "deploy", "verify"]
    assert done.answer["wanted"]["image"] == ""
    assert done.answer["wanted"]["tag"].startswith("v2-")


def test_another_configuration_of_the_same_image_migrates_nothing(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    done = plan(monkeypatch, world_aws(world, app), app, task={**TASK, "cpu": "2048"})
    assert done.answer["steps"] == ["deploy", "verify"]


def test_an_image_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any], tmp_path: Path
) -> None:
    answers = {**labelled(tmp_path, "b2 f3"), "describe_images": images({"build-7": DIGEST_2})}
    aws = world_aws(world, app, **answers)
    done = plan(monkeypatch, aws, app, image=f"{REPOSITORY}:build-7")
    assert done.answer["steps"] == ["migrate", "deploy", "verify"]
    assert done.answer["wanted"]["release"] == "build-7"
    assert done.answer["wanted"]["image"] == IMAGE_2
    assert done.answer["wanted"]["schema"] == ["b2", "f3"]


def test_an_image_without_a_tag_is_not_released(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    """The registry's lifecycle policy would remove it, though it serves."""
    aws = world_aws(world, app, describe_images=images({DIGEST_2: DIGEST_2}))
    done = plan(monkeypatch, aws, app, image=DIGEST_2)
    assert done.failed
    assert "has no tag" in done.answer["msg"]


def labelled(tmp_path: Path, schema: str) -> dict[str, Any]:
    """An image whose config has this label."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"config": {"Labels": {"lyo.schema": schema}}}))
    manifest = {"imageManifest": json.dumps({"config": {"digest": "sha256:c"}})}
    return {
        "batch_get_image": {"images": [manifest]},
        "get_download_url_for_layer": {"downloadUrl": config.as_uri()},
    }


def test_an_image_that_is_live_is_not_read_again(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    labels = world.definitions[1]["containerDefinitions"][0]["dockerLabels"]
    labels["lyo.schema"] = "a9"
    aws = world_aws(world, app, describe_images=images({"v1": DIGEST_1}))
    done = plan(monkeypatch, aws, app, image=f"{REPOSITORY}:v1", release="v1")
    assert done.answer["steps"] == []
    assert done.answer["wanted"]["schema"] == ["a9"]


def test_what_is_live_can_be_kept_whatever_this_repository_builds(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    """A restore deploys what served: not another build of it, not the default, and nothing is refused."""
    definition = world.definitions[1]["containerDefinitions"][0]
    definition["dockerLabels"] |= {"lyo.release": "elsewhere", "lyo.schema": "a9"}
    aws = world_aws(world, app, describe_images=images({"elsewhere-1": DIGEST_1}))
    kept = plan(monkeypatch, aws, app, live=True)
    assert not kept.failed, kept.answer
    assert kept.answer["wanted"]["release"] == "elsewhere"
    assert kept.answer["wanted"]["image"] == IMAGE_1
    assert kept.answer["wanted"]["schema"] == ["a9"]
    assert kept.answer["wanted"]["tag"] == "elsewhere-1"
    assert "image" not in kept.answer["steps"]
    named = plan(monkeypatch, world_aws(world, app), app, live=True, release="v2")
    assert named.answer["wanted"]["release"] == "v2"


def test_an_image_that_is_live_and_gone_from_the_registry_is_told(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    gone = plan(monkeypatch, world_aws(world, app, describe_images=images({})), app, live=True)
    assert gone.failed
    assert "there is no image sha256:" in gone.answer["msg"]


# The schema.

SCHEMAS = TOML.replace("[releases.v2]", 'schema = ["a9"]\n[releases.v2]\nschema = ["a9"]\n')
PLACE = {"bucket": "b", "prefix": "ledger/"}


def old_release(
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    app: dict[str, Any],
    present: Schema,
    **changes: Any,
) -> Ended:
    """The plan of v2, which runs on a9."""
    Path(app["path"], "image.toml").write_text(SCHEMAS)
    book = Ledger([run(2, **told(present))]).answers
    return plan(
        monkeypatch,
        world_aws(world, app, **book),
        app,
        **{"release": "v2", "ledger": PLACE, **changes},
    )


def test_an_older_release_that_the_schema_no_longer_serves_is_refused(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    done = old_release(monkeypatch, world, app, CONTRACTED)
    assert done.failed
    assert "v2 runs on schema a9, but the database is at f3" in done.answer["msg"]
    assert "-e force_schema=v2" in done.answer["msg"]
    assert done.answer["steps"] == []
    assert not done.answer["changed"]


@pytest.mark.parametrize(
    ("force", "failed"),
    [("v2", False), (DIGEST_2, False), (IMAGE_2, False), ("v1", True), ("yes", True)],
)
def test_only_its_own_name_forces_a_release(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any], force: str, failed: bool
) -> None:
    done = old_release(monkeypatch, world, app, CONTRACTED, force_schema=force)
    assert done.failed is failed
    word = "names another one" if failed else "forced by name: v2 runs on schema a9"
    assert word in " ".join(done.answer["reasons"])


def test_what_is_live_is_kept_whatever_the_ledger_says_of_the_schema(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    """The database that was contracted may be the one that was lost."""
    world.definitions[1]["containerDefinitions"][0]["dockerLabels"]["lyo.schema"] = "a9"
    elsewhere = {"live": True, "task": {**TASK, "environment": {"DATABASE_HOST": "restored"}}}
    kept = old_release(monkeypatch, world, app, CONTRACTED, release=None, **elsewhere)
    assert not kept.failed, kept.answer
    assert kept.answer["steps"] == ["deploy", "verify"]


def test_a_release_that_the_schema_serves_is_planned(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    done = old_release(monkeypatch, world, app, EXPANDED)
    assert done.answer["steps"] == ["migrate", "deploy", "verify"]
    assert "forced" not in " ".join(done.answer["reasons"])


def test_what_is_live_is_planned_without_the_ledger(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    Path(app["path"], "image.toml").write_text(SCHEMAS)
    labels = world.definitions[1]["containerDefinitions"][0]["dockerLabels"]
    labels["lyo.schema"] = "a9"
    done = plan(monkeypatch, world_aws(world, app), app, release="v1", ledger=PLACE)
    assert done.answer["verdict_if_nothing"] == "UNCHANGED"


def test_an_image_that_does_not_exist_lists_the_newest(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    aws = world_aws(world, app, describe_images=images({"a": DIGEST_1, "b": DIGEST_2}))
    done = plan(monkeypatch, aws, app, image="missing")
    assert done.failed
    assert "no image missing" in done.answer["msg"]
    assert "b, a" in done.answer["msg"]


@pytest.mark.parametrize("name", ["v9", "../etc", ""])
def test_a_release_nobody_knows_costs_no_call(
    monkeypatch: pytest.MonkeyPatch, app: dict[str, Any], name: str
) -> None:
    if not name:
        app["default_release"] = None
    aws = FakeAws(get_parameters=outputs_answer(None))
    done = plan(monkeypatch, aws, app, release=name or None)
    assert done.failed
    if name:
        assert name in done.answer["msg"]
        assert aws.calls == []
    else:
        assert "v1, v2" in done.answer["msg"]


@pytest.mark.parametrize("outputs", [None, '{"cluster_name": "lyo"}'])
def test_without_outputs_the_infrastructure_comes_first(
    monkeypatch: pytest.MonkeyPatch, app: dict[str, Any], outputs: Any
) -> None:
    done = plan(monkeypatch, FakeAws(get_parameters=outputs_answer(outputs)), app)
    assert done.answer["steps"] == ["infra", "image", "migrate", "deploy", "verify"]
    assert done.answer["wanted"]["release"] == "v1"
    assert done.answer["current"]["task_definition"] == ""


def test_outputs_that_are_not_json_are_said(
    monkeypatch: pytest.MonkeyPatch, app: dict[str, Any]
) -> None:
    aws = FakeAws(get_parameters=outputs_answer("{"))
    assert "not JSON" in plan(monkeypatch, aws, app).answer["msg"]


def test_after_a_switch_a_release_gets_the_database_that_serves(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    outputs = {**OUTPUTS, "database": {"identifier": "lyo", "host": "old", "name": "lyo"}}
    record = json.dumps({"serving": "new", "database": {"identifier": "new", "host": "there"}})
    aws = world_aws(world, app, get_parameters=outputs_answer(outputs, record))
    found = plan(monkeypatch, aws, app).answer["outputs"]["database"]
    assert found == {"identifier": "new", "host": "there", "name": "lyo"}
    adopted = {**outputs, "database": {"identifier": "new", "host": "moved"}}
    aws = world_aws(world, app, get_parameters=outputs_answer(adopted, record))
    assert plan(monkeypatch, aws, app).answer["outputs"]["database"]["host"] == "moved"


def test_a_record_of_the_database_that_cannot_be_used_stops_everything(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    aws = world_aws(world, app, get_parameters=outputs_answer(OUTPUTS, "{}"))
    done = plan(monkeypatch, aws, app)
    assert done.failed
    assert "nobody knows which database serves" in done.answer["msg"]


@pytest.mark.parametrize(
    ("infra", "planned"),
    [
        ({"force": "plan"}, True),
        ({"force": "skip", "bucket": "b"}, False),
        ({"bucket": "b"}, True),  # there is no marker
        ({}, False),
    ],
)
def test_when_terraform_plans(
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    app: dict[str, Any],
    infra: dict[str, Any],
    planned: bool,
) -> None:
    aws = world_aws(world, app, get_object=failure("NoSuchKey"), head_object={"ETag": '"x"'})
    done = plan(monkeypatch, aws, app, infra={**INFRA, **infra})
    assert done.answer["steps"] == (["infra", "verify"] if planned else [])


def test_a_deployment_in_progress_is_watched_or_refused(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    world.definitions[2] = definition(2, IMAGE_2, "v2")
    world.begin(2)
    done = plan(monkeypatch, world_aws(world, app), app, release="v2")
    assert done.answer["steps"] == ["watch", "verify"]
    assert done.answer["current"]["deployment_release"] == "v2"
    refused = plan(monkeypatch, world_aws(world, app), app, release="v1")
    assert refused.failed
    assert "v2" in refused.answer["msg"]
    waits = plan(monkeypatch, world_aws(world, app), app, release="v1", in_progress="wait")
    assert "deploy" in waits.answer["steps"]


def test_an_existing_equal_definition_is_named(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    content = task_definition.render(OUTPUTS, TASK, IMAGE_2, "v2")
    world.definitions[2] = {**content, "taskDefinitionArn": f"{DEFINITION}:2"}
    done = plan(monkeypatch, world_aws(world, app), app, release="v2")
    assert done.answer["wanted"]["task_definition"] == f"{DEFINITION}:2"


def test_a_reference_to_an_output_that_is_none_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    task = {**TASK, "environment": {"DATABASE_HOST": "${database.hots}"}}
    done = plan(monkeypatch, world_aws(world, app), app, task=task)
    assert done.failed
    assert "database.hots" in done.answer["msg"]


def test_a_dashboard_that_differs_is_uploaded(
    monkeypatch: pytest.MonkeyPatch, world: World, app: dict[str, Any]
) -> None:
    folder = Path(app["path"]) / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<html>")
    outputs = {**OUTPUTS, "dashboard_bucket": "site", "api_url": "https://api"}
    aws = world_aws(
        world,
        app,
        get_parameters=outputs_answer(outputs),
        list_objects_v2={"Contents": []},
    )
    done = plan(monkeypatch, aws, {**app, "dashboard": "site"})
    assert "dashboard" in done.answer["steps"]
    assert any("index.html" in reason for reason in done.answer["reasons"])


WEBHOOKS = {
    "prefix": "webhooks/",
    "callback_path": "/webhook",
    "graph_version": "v26.0",
    "token_version": "1",
}
REGISTERED = {
    "url": "https://api.example/webhook",
    "graph_version": "v26.0",
    "token_version": "1",
    "complete": True,
}


@pytest.mark.parametrize(
    ("registered", "webhooks", "steps"),
    [
        (REGISTERED, WEBHOOKS, []),
        (REGISTERED, {**WEBHOOKS, "token_version": "2"}, ["webhooks"]),
        ({**REGISTERED, "url": "https://old.example/webhook"}, WEBHOOKS, ["webhooks"]),
        (None, WEBHOOKS, ["webhooks"]),
        (None, None, []),
    ],
)
def test_webhooks_are_registered_when_what_they_stand_on_has_changed(
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    app: dict[str, Any],
    registered: dict[str, Any] | None,
    webhooks: dict[str, str] | None,
    steps: list[str],
) -> None:
    value = json.dumps({**OUTPUTS, "api_url": "https://api.example"})

    def objects(params: dict[str, Any]) -> Any:
        if params["Key"] == "webhooks/registered.json" and registered is not None:
            return {"Body": io.BytesIO(json.dumps(registered).encode())}
        return failure("NoSuchKey")

    aws = world_aws(world, app, get_parameters=outputs_answer(value), get_object=objects)
    infra = {**INFRA, "force": "skip", "bucket": "state"}
    done = plan(monkeypatch, aws, app, infra=infra, webhooks=webhooks)
    assert done.answer["steps"] == steps
