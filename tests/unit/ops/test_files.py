"""The image's descriptions say the same, and timers run what schedules run."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from lyo_run.command import SCHEDULED

ROOT = Path(__file__).resolve().parents[3]
OPS = ROOT / "ops"
IMAGE = tomllib.loads((OPS / "image.toml").read_text())
SYSTEMD = OPS / "systemd"


def test_the_dockerfile_is_built_from_what_the_description_lists() -> None:
    allowed = re.findall(r"^!(\S+)$", (OPS / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    # PostgreSQL's tools are Debian's there.
    locks = set(IMAGE["layers"]["requirements"]) - {"ops/postgres.lock"}
    assert sorted(allowed) == sorted([*IMAGE["layers"]["app"], *locks])


def test_the_dockerfile_is_of_the_same_layout() -> None:
    text = (OPS / "Dockerfile").read_text()
    final = text.rpartition("FROM ")[2]
    assert f"ENTRYPOINT {str(IMAGE['image']['entrypoint']).replace(chr(39), chr(34))}" in final
    assert f"CMD {str(IMAGE['image']['cmd']).replace(chr(39), chr(34))}" in final
    assert f"USER {IMAGE['image']['user']}" in final
    assert f"WORKDIR {IMAGE['image']['workdir']}" in final
    assert f"PYTHONPATH={IMAGE['image']['env']['PYTHONPATH']}" in final
    for lock in set(IMAGE["layers"]["requirements"]) - {"ops/postgres.lock"}:
        assert lock in text
    # No image runs as root, and none takes a package whose hash is not known.
    assert "--require-hashes" in text
    assert not re.search(r"^USER (root|0)\b", text, re.MULTILINE)


def test_every_package_of_the_image_is_pinned_with_hashes() -> None:
    for lock in IMAGE["layers"]["requirements"]:
        text = (ROOT / lock).read_text()
        pins = re.findall(r"^[a-z0-9_.-]+==\S+.*\\$", text, re.MULTILINE)
        names = re.findall(r"^[a-z0-9]\S*", text, re.MULTILINE)
        assert len(pins) == len(names) > 0, lock


def test_the_execution_environment_has_the_same_packages() -> None:
    environment = yaml.safe_load((OPS / "execution-environment.yml").read_text())
    assert environment["version"] == 3
    sources = {(OPS / entry["src"]).resolve() for entry in environment["additional_build_files"]}
    assert sources == {ROOT / "requirements/ops.lock", OPS / "requirements.lock"}
    pinned = environment["dependencies"]["ansible_core"]["package_pip"]
    assert pinned in (ROOT / "requirements/ops.lock").read_text()


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


def test_there_is_a_timer_for_each_schedule() -> None:
    timers = {path.name: unit(path) for path in SYSTEMD.glob("*.timer")}
    assert sorted(timers) == sorted(f"lyo-{Path(name).stem}.timer" for name in SCHEDULED)
    for name, timer in timers.items():
        runbook = name.removeprefix("lyo-").removesuffix(".timer")
        assert timer["Timer"]["Unit"] == f"lyo@{runbook}.service"
        assert timer["Timer"]["Persistent"] == "true"
    service = unit(SYSTEMD / "lyo@.service")["Service"]
    assert service["ExecStart"].endswith("python -m lyo_run %i.yml")
    assert service["User"] != "root"


def schedule_defaults() -> dict[str, str]:
    """The cron expressions of modules/operations, by schedule."""
    text = (ROOT / "terraform/modules/operations/variables.tf").read_text()
    found = re.findall(
        r'(\w+) = optional\(object\(\{\s+expression\s+= optional\(string, "([^"]+)"', text
    )
    return dict(found)


@pytest.mark.parametrize("name", ["backup", "drift", "drill"])
def test_timers_and_schedules_agree_on_the_hour(name: str) -> None:
    minute, hour, day = re.match(r"cron\((\d+) (\d+) (\S+)", schedule_defaults()[name]).groups()  # type: ignore[union-attr]
    calendar = unit(SYSTEMD / f"lyo-{name}.timer")["Timer"]["OnCalendar"]
    wanted = "*" if day == "*" else f"{int(day):02}"
    assert calendar == f"*-*-{wanted} {int(hour):02}:{int(minute):02}:00 Europe/Rome"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in SYSTEMD.iterdir():
        # The only thing that this machine lacks is the installation under /opt.
        text = path.read_text().replace("/opt/lyo-ops/.venv/bin/python", sys.executable)
        (tmp_path / path.name).write_text(text)
    units = [str(path) for path in sorted(tmp_path.glob("*.timer"))]
    instance = tmp_path / "lyo@backup.service"
    instance.write_text((tmp_path / "lyo@.service").read_text())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units, str(instance)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
