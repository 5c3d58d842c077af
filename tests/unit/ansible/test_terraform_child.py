"""A Terraform that outlives the run that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.module_utils.lyo_terraform import command
from ansible.module_utils.lyo_terraform.command import Terraform, TerraformFailure

# Interrupted, it finishes what it works on: until a file says that it has.
FINISHING = """#!{python}
import os, pathlib, signal, subprocess, time
here = pathlib.Path({here!r})
signal.signal(signal.SIGINT, lambda *_: (here / "interrupted").touch())
(here / "pid").write_text(str(os.getpid()))
if (here / "provider").exists():
    started = subprocess.Popen(["sleep", "60"], close_fds=False)
    (here / "provider").write_text(str(started.pid))
(here / "started").touch()
while not (here / "finished").exists():
    time.sleep(0.02)
"""
RUN = """
import sys
from pathlib import Path
from module_utils.lyo_terraform.command import Terraform
here = Path(sys.argv[1])
terraform = Terraform(str(here / "terraform"), here, here / "data", {}, {}, lambda *_: None)
terraform.follow(sys.argv[2], sys.argv[2:])
"""
PATIENCE = 20.0


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} has not come about"
        time.sleep(0.02)


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []
        binary = folder / "terraform"
        binary.write_text(FINISHING.format(python=sys.executable, here=str(folder)))
        binary.chmod(0o755)
        self.terraform = Terraform(
            str(binary), folder, folder / "data", {}, {}, lambda *told: self.told.append(told[1])
        )

    def kill_during(self, verb: str, *options: str) -> None:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.folder), verb, *options],
            cwd=Path(__file__).parents[3],
        )
        wait_for(self.folder / "started")
        run.send_signal(signal.SIGKILL)
        run.wait()
        if sys.platform == "linux":
            wait_for(self.folder / "interrupted")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("verb", ["apply", "plan"])
def test_what_still_finishes_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    site.kill_during(verb)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            (site.folder / "finished").touch()
        time_sleep(0.02)

    time_sleep = time.sleep
    monkeypatch.setattr(command.time, "sleep", sleep)
    site.terraform.wait_for_interrupted()
    assert (site.folder / "finished").exists(), "it was not waited for"
    assert "still finishes" in site.told[0]


def test_a_plan_that_only_reads_is_nobodys_obstacle(site: Site) -> None:
    site.kill_during("plan", "-lock=false")
    site.terraform.wait_for_interrupted()
    assert site.told == []
    (site.folder / "finished").touch()


def test_what_a_plan_of_a_killed_run_still_writes_is_not_taken_for_the_next_ones(
    site: Site,
) -> None:
    site.kill_during("plan")
    log = site.folder / "data" / "lyo-plan.jsonl"
    with log.open() as former:
        (site.folder / "finished").touch()
        site.terraform.follow("plan", ["plan"])
        assert not os.path.samestat(os.fstat(former.fileno()), log.stat())


def test_a_provider_that_outlived_its_terraform_is_nobodys_obstacle(site: Site) -> None:
    (site.folder / "provider").touch()
    site.kill_during("apply")
    os.kill(int((site.folder / "pid").read_text()), signal.SIGKILL)
    provider = int((site.folder / "provider").read_text())
    try:
        # Until whoever inherited it has noticed its death, it may be waited for; not longer.
        site.terraform.wait_for_interrupted()
        os.kill(provider, 0)
        # It would block the next apply as well.
        (site.folder / "provider").unlink()
        (site.folder / "finished").touch()
        site.terraform.follow("apply", ["apply"])
    finally:
        os.kill(provider, signal.SIGKILL)


def test_where_nothing_runs_nothing_is_waited_for(site: Site) -> None:
    site.terraform.wait_for_interrupted()
    assert site.told == []


def test_where_there_is_no_terraform_it_says_where_there_is_one(tmp_path: Path) -> None:
    """Before anything is written: not even the folder for its data."""
    missing = tmp_path / ".tools" / "terraform"
    with pytest.raises(TerraformFailure) as failed:
        Terraform(str(missing), tmp_path, tmp_path / "data", {}, {}, lambda *_: None)
    assert str(missing) in str(failed.value)
    assert "make setup" in str(failed.value)
    assert "the local cloud's has not" in str(failed.value)
    assert list(tmp_path.iterdir()) == []
