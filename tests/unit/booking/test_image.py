"""image.toml, the Dockerfile, the releases and the migrations say the same."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from booking.config import ReleaseConfig
from booking.releases import RELEASES, behaviour

APP = Path(__file__).resolve().parents[3] / "examples" / "booking"
IMAGE: dict[str, Any] = tomllib.loads((APP / "image.toml").read_text())
DOCKERFILE = (APP / "Dockerfile").read_text()


def revisions() -> dict[str, str | None]:
    """Each migration's revision and the one before it."""
    found: dict[str, str | None] = {}
    for file in APP.glob("migrations/*/*.py"):
        text = file.read_text()
        revision = re.search(r'^revision = "(\w+)"', text, re.M)
        before = re.search(r'^down_revision = (?:"(\w+)"|None)', text, re.M)
        assert revision, file
        assert before, file
        assert file.name.startswith(revision[1])
        found[revision[1]] = before[1]
    return found


def test_there_is_an_image_for_every_release() -> None:
    assert set(IMAGE["releases"]) == set(RELEASES)


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_names_itself_and_a_revision_that_exists(name: str) -> None:
    release = IMAGE["releases"][name]
    assert release["env"]["LYO_RELEASE"] == name
    assert release["env"]["LYO_SCHEMA_REVISION"] in release["schema"]
    assert release["schema"] == sorted(set(release["schema"]) & set(revisions()))
    assert all(isinstance(value, str) for value in release["env"].values())


def test_only_later_releases_use_what_0002_adds() -> None:
    allergies = {
        name: behaviour(ReleaseConfig(name, IMAGE["releases"][name]["env"]["LYO_SCHEMA_REVISION"]))
        for name in RELEASES
    }
    assert [name for name, does in allergies.items() if not does.allergies] == ["v1"]


def test_migrations_form_one_line_beside_the_broken_one() -> None:
    line = revisions()
    assert line.pop("0003_broken") == "0002"
    assert sorted(before for before in line.values() if before) == sorted(line)[:-1]


def test_what_goes_into_the_image_exists() -> None:
    for name in [*IMAGE["layers"]["app"], IMAGE["layers"]["requirements"]]:
        assert (APP / name).exists(), name
        assert f"COPY {name} " in DOCKERFILE


def test_the_dockerfile_builds_the_same_image() -> None:
    image = IMAGE["image"]
    for line in (
        f"WORKDIR {image['workdir']}",
        f"USER {image['user']}",
        f"STOPSIGNAL {image['stop_signal']}",
        f"EXPOSE {image['ports'][0]}",
        f"ENTRYPOINT {json.dumps(image['entrypoint'])}",
        f"CMD {json.dumps(image['cmd'])}",
        f"PYTHONPATH={image['env']['PYTHONPATH']}",
        "LABEL lyo.release=$RELEASE lyo.schema=$SCHEMA",
        f"--target {IMAGE['layers']['site_packages']}",
    ):
        assert line in DOCKERFILE
    assert not image["user"].startswith("0")
