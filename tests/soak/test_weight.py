"""The session of a container that starts: light for a while, then ordinary, where Linux weighs sessions."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import weight

GROUPED = Path("/proc/self/autogroup").exists()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a session of its own."""
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(argv, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def nice(process: subprocess.Popen[bytes]) -> int:
    """How nice the process's session is; 0 where sessions are not weighed."""
    if not GROUPED:
        return 0
    return int(Path(f"/proc/{process.pid}/autogroup").read_text().rsplit(" ", 1)[-1])


def test_a_session_is_light_for_a_while_only(process: subprocess.Popen[bytes]) -> None:
    weight.start_light(process.pid, 0.5)
    if GROUPED:
        assert nice(process) == 10
    deadline = time.monotonic() + 30
    while nice(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert nice(process) == 0


def test_a_process_that_has_ended_meanwhile_is_nobodys_business(
    process: subprocess.Popen[bytes],
) -> None:
    process.kill()
    process.wait()
    weight.start_light(process.pid, 0)


def test_a_change_that_came_too_soon_after_another_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(weight, "weigh", lambda pid, nice: next(answers))  # noqa: ARG005
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # noqa: ARG005
    weight._restore(1)
    assert next(answers, None) is None


def test_what_a_local_cloud_starts_is_light_and_what_runs_already_is_not(
    process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "children"
    folder.mkdir()
    (folder / "1.json").touch()
    made: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weight, "start_light", made.append)
        with weight.Starters(tmp_path):
            (folder / f"{process.pid}.json").touch()
            deadline = time.monotonic() + 30
            while not made and time.monotonic() < deadline:
                time.sleep(0.01)
    assert made == [process.pid]
