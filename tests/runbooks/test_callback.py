"""The progress callback with real runs: into a pipe, on a terminal, interrupted, and not loaded."""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"

# A module that waits, says so twice, and leaves a mark when it is done.
MODULE = """#!/usr/bin/python
import time
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_progress import Progress

module = AnsibleModule({"seconds": {"type": "float"}, "result": {"type": "dict", "default": {}},
                        "fail": {"type": "bool", "default": False}})
progress = Progress("waits")
progress("first", "one \\x1b[31mred", 10)
time.sleep(module.params["seconds"])
progress("second", "two", 60)
time.sleep(module.params["seconds"])
if module.params["fail"]:
    module.fail_json(msg="it broke", **module.params["result"])
module.exit_json(changed=True, **module.params["result"])
"""
TASKS = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Wait for it
      waits: {parameters}
    - name: After it
      ansible.builtin.debug:
        msg: calm
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own that uses the repository's callback and progress events."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "waits.py").write_text(MODULE)
    (tmp_path / "temporary").mkdir()
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\n"
        f"library = {tmp_path}/library\n"
        f"module_utils = {ROOT}/module_utils\n"
        f"callback_plugins = {ROOT}/callback_plugins\n"
        "callbacks_enabled = lyo_progress\n"
        "callback_result_format = yaml\n"
        "display_skipped_hosts = false\n"
        "interpreter_python = {{ ansible_playbook_python }}\n"
    )
    return tmp_path


def write(project: Path, parameters: str) -> None:
    (project / "play.yml").write_text(TASKS.replace("{parameters}", parameters))


def environment(project: Path, **more: str) -> dict[str, str]:
    """A shell without PYTHONUNBUFFERED, which would hide a missing flush."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ANSIBLE_") and name != "PYTHONUNBUFFERED"
    }
    return {**kept, "TMPDIR": str(project / "temporary"), "TERM": "xterm", **more}


def command() -> list[str]:
    return [str(PLAYBOOK), "-i", "localhost,", "play.yml"]


def leftovers(project: Path) -> list[str]:
    return [path.name for path in (project / "temporary").glob("lyo-progress-*")]


def piped(project: Path, **more: str) -> tuple[int, str]:
    done = subprocess.run(
        command(),
        cwd=project,
        env=environment(project, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def on_a_terminal(project: Path) -> tuple[int, str]:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command(), cwd=project, env=environment(project), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    output = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError as error:
            if error.errno == errno.EIO:  # Linux's end of file on a terminal
                break
            raise
        if not chunk:
            break
        output += chunk
    os.close(master)
    return process.wait(timeout=60), output.decode()


def test_in_a_pipe_each_change_is_a_line_while_the_task_still_runs(project: Path) -> None:
    write(project, "{seconds: 1.5}")
    process = subprocess.Popen(
        command(), cwd=project, env=environment(project), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seen: dict[str, float] = {}
    output = ""
    for line in process.stdout:
        output += line
        for word in ("first", "second", "changed:"):
            if word in line:
                seen.setdefault(word, time.monotonic())
    assert process.wait(timeout=60) == 0
    assert re.search(r"\d:\d\d  Wait for it  first  10%  one \[31mred\n", output)
    assert "Wait for it  second  60%  two\n" in output
    # Each came when it happened, not all together at the end.
    assert seen["second"] - seen["first"] > 0.2
    assert seen["changed:"] - seen["second"] > 0.2
    assert leftovers(project) == []


def test_a_terminal_has_one_live_line_that_gives_way_to_other_output(project: Path) -> None:
    write(project, "{seconds: 0.8}")
    code, output = on_a_terminal(project)
    assert code == 0
    draws = re.findall(r"\r\x1b\[2K[^\r\n]*", output)
    assert any("Wait for it  first  10%  one [31mred" in draw for draw in draws)
    assert any("Wait for it  second  60%  two" in draw for draw in draws)
    # Whatever is printed with a line end begins on a line that was cleared before.
    for line in output.split("\n"):
        visible = line.rstrip("\r").rsplit("\x1b[2K", 1)[-1]
        assert "Wait for it  first" not in visible, line
        assert "Wait for it  second" not in visible, line
    assert "TASK [Wait for it]" in output
    assert "calm" in output


def test_the_end_has_a_summary(project: Path) -> None:
    write(
        project,
        "{seconds: 0, result: {lyo_summary: {verdict: DEPLOYED, release: v2, previous: v1,"
        " urls: {api: 'https://api.test'}, next: ['do that']}}}",
    )
    code, output = piped(project)
    assert code == 0
    _, summary = output.split("PLAY RECAP")
    assert "DEPLOYED release v2 (was v1)\n" in summary
    assert "  api     https://api.test\n" in summary
    assert "  next    do that\n" in summary


def test_a_prediction_is_not_overruled_by_what_modules_expect(project: Path) -> None:
    write(
        project,
        "{seconds: 0, result: {lyo_summary: {verdict: PREDICTED, release: v2, reasons: [new]}}}\n"
        "    - name: Again\n"
        "      waits: {seconds: 0, result: {verdict: DEPLOYED, reasons: [done]}}\n"
        "    - name: What else there is to do\n"
        "      waits: {seconds: 0, result: {lyo_summary: {next: ['do that']}}}",
    )
    code, output = piped(project)
    assert code == 0
    assert "PREDICTED release v2\n  because new\n" in output
    assert "  next    do that\n" in output


def test_a_failed_task_never_leaves_a_verdict_of_success(project: Path) -> None:
    write(project, "{seconds: 0, fail: true, result: {lyo_summary: {verdict: DEPLOYED}}}")
    code, output = piped(project)
    assert code == 2
    assert "FAILED\n  because Wait for it: it broke\n" in output
    assert "DEPLOYED\n" not in output.split("PLAY RECAP")[1]


def test_a_modules_own_verdict_and_reasons_are_the_runs(project: Path) -> None:
    result = "{verdict: ROLLED_BACK, reasons: [a task stopped, its log says so]}"
    write(project, f"{{seconds: 0, fail: true, result: {result}}}")
    code, output = piped(project)
    assert code == 2
    assert "ROLLED_BACK\n  because a task stopped\n  because its log says so\n" in output


def test_a_result_that_ansible_hides_stays_hidden(project: Path) -> None:
    write(
        project,
        "{seconds: 0, fail: true, result: {lyo_summary: {verdict: s3cret, release: s3cret}}}\n"
        "      no_log: true\n"
        "      ignore_errors: true\n"
        "    - name: Again\n"
        "      waits: {seconds: 0, fail: true, result: {lyo_summary: {release: s3cret}}}\n"
        "      no_log: true",
    )
    code, output = piped(project)
    assert code == 2
    assert "s3cret" not in output


def test_a_run_without_a_summary_ends_as_it_always_did(project: Path) -> None:
    write(project, "{seconds: 0}")
    code, output = piped(project)
    assert code == 0
    assert output.rstrip().splitlines()[-1].startswith("localhost ")


def test_ctrl_c_takes_the_pipe_away(project: Path) -> None:
    write(project, "{seconds: 4}")
    process = subprocess.Popen(
        command(),
        cwd=project,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "first" in line:
            break
    assert leftovers(project) != []
    os.kill(process.pid, signal.SIGINT)
    process.stdout.read()
    assert process.wait(timeout=30) == 99
    assert leftovers(project) == []
    with contextlib.suppress(ProcessLookupError):  # the module that still waits
        os.killpg(process.pid, signal.SIGKILL)


def test_what_a_killed_run_left_is_removed_and_a_living_ones_is_not(project: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = project / "temporary" / f"lyo-progress-{gone.pid}-x"
    alive = project / "temporary" / f"lyo-progress-{os.getpid()}-x"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "events").touch()
    write(project, "{seconds: 0}")
    assert piped(project)[0] == 0
    assert leftovers(project) == [alive.name]


def test_where_nobody_listens_modules_are_silent(project: Path) -> None:
    write(project, "{seconds: 0}")
    code, output = piped(project, ANSIBLE_CALLBACKS_ENABLED="ansible.builtin.tree")
    assert code == 0
    assert "first" not in output


def test_without_a_place_for_the_pipe_the_run_goes_on(project: Path) -> None:
    write(project, "{seconds: 0}")
    # Python's own search for a folder would find another one.
    (project / "sitecustomize.py").write_text(
        "import os\ndef refuse(*_, **__):\n    raise OSError('no pipes here')\nos.mkfifo = refuse\n"
    )
    code, output = piped(project, PYTHONPATH=str(project))
    assert code == 0
    assert "No live progress: no pipes here" in output
    assert leftovers(project) == []
