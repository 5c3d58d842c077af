"""What mutation tests work on is whole: they are not part of `make test`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.mutation.__main__ import stage


def test_the_copied_tests_have_all_that_they_need(tmp_path: Path) -> None:
    stage(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--setup-plan", "tests/unit/modules"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
