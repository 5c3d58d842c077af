"""A module in Ansible's own process says what it says in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
# The same task three times: here, and where it cannot be here.
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - http_checks: &checks {arguments}
      register: here
      ignore_errors: true
    - http_checks: *checks
      environment: {LYO_ANY: "1"}
      register: apart
      ignore_errors: true
    - http_checks: *checks
      vars:
        ansible_python_interpreter: {other}
      register: other
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{ [here, apart, other] | to_json }}"
        dest: {file}
        mode: "0600"
"""


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def results(folder: Path, arguments: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """What the three said, and the modules that had a process of their own."""
    # The same Python under another name.
    other = folder / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    file = folder / "results.json"
    text = PLAY.replace("{arguments}", json.dumps(arguments)).replace("{file}", str(file))
    (folder / "play.yml").write_text(text.replace("{other}", str(other)))
    done = subprocess.run(
        [str(PLAYBOOK), "-i", "localhost,", str(folder / "play.yml")],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert file.exists(), done.stdout + done.stderr
    packed = [path.stem for path in (folder / "remote").glob("*/AnsiballZ_http_checks.py")]
    return json.loads(file.read_text()), packed


@pytest.mark.parametrize("case", ["good", "wrong status", "unknown option", "nobody answers"])
def test_a_module_says_the_same_here_and_apart(tmp_path: Path, url: str, case: str) -> None:
    check: dict[str, Any] = {"name": "health", "path": "/health", "attempts": 1}
    check["json"] = {"status": "ok"}
    arguments: dict[str, Any] = {"base_url": url, "checks": [check]}
    if case == "wrong status":
        check["status"] = [418]
    if case == "unknown option":
        arguments["verbose"] = True
    if case == "nobody answers":
        arguments["base_url"] = "http://127.0.0.1:9"
    found, packed = results(tmp_path, arguments)
    assert len(packed) == 2, "the first ran in a process of its own, or another did not"
    here, apart, other = found
    assert here["failed"] is (case != "good")
    for key in here.keys() & apart.keys() - {"results"}:
        assert here[key] == apart[key] == other[key], key
    assert set(here) == set(apart) == set(other)
