"""What set-up needs beforehand is asked for in words, one missing thing at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "dirname", "env", "grep", "rm", "sed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with nothing on it but the shell's own tools."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def add(path: Path, name: str) -> None:
    found = shutil.which(name)
    assert found, name
    (path / name).symlink_to(found)


def refused(path: Path, **environment: str) -> str:
    result = subprocess.run(
        ["bash", str(ROOT / "scripts" / "setup")],
        env={"PATH": str(path), "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_no_git(path: Path) -> None:
    assert "git is missing. Install it" in refused(path)


def test_no_python(path: Path) -> None:
    add(path, "git")
    line = refused(path)
    assert "no Python 3.11, 3.12 or 3.13 found. Install one" in line
    assert "PYTHON=/path/to/python" in line


def test_a_python_that_does_not_fit(path: Path) -> None:
    add(path, "git")
    old = path / "python3.9"
    old.write_text("#!/bin/sh\necho 3.9\n")
    old.chmod(0o755)
    assert f"PYTHON={old} is not a Python 3.11" in refused(path, PYTHON=str(old))


def test_a_python_without_venv(path: Path) -> None:
    add(path, "git")
    bare = path / "python3.12"
    bare.write_text(
        f"#!/bin/sh\ncase \"$*\" in *'import venv'*) exit 1;; *version_info*) echo 3.12;;"
        f' *) exec {sys.executable} "$@";; esac\n'
    )
    bare.chmod(0o755)
    assert "has no venv module. Install it" in refused(path, PYTHON=str(bare))
