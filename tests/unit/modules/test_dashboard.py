from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ansible.module_utils.lyo_release import dashboard

URL = "https://api.lyo.example"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_bytes(b"<html>")
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "logo.svg").write_bytes(b"<svg>")
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_wanted_is_every_file_and_the_environment_s_configuration(folder: Path) -> None:
    assert dashboard.wanted(folder, URL) == {
        "index.html": md5(b"<html>"),
        "img/logo.svg": md5(b"<svg>"),
        "config.json": md5(json.dumps({"api": URL}).encode()),
    }


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        dashboard.wanted(tmp_path / "absent", URL)


def test_nothing_differs(folder: Path) -> None:
    wanted = dashboard.wanted(folder, URL)
    assert dashboard.difference(wanted, {**wanted, "of-a-former-release.js": "x"}) == ""


def test_missing_and_changed_objects_are_named(folder: Path) -> None:
    wanted = dashboard.wanted(folder, URL)
    there = {**wanted, "index.html": "another"}
    del there["img/logo.svg"]
    reason = dashboard.difference(wanted, there)
    assert reason.startswith("img/logo.svg, index.html in the bucket differ")


def test_many_are_counted() -> None:
    wanted = {f"{number}.js": "x" for number in range(5)}
    assert dashboard.difference(wanted, {}).startswith("0.js, 1.js, 2.js and 2 more in")
