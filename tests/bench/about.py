"""Where and with what was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.cases import ECS_DEPLOY
from tests.bench.commands import ROOT


def describe(cloud: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Machine, versions, date and the local cloud's setting.

    :param seconds: how long measuring took.
    """
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "minutes": round(seconds / 60),
        "revision": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "speed": cloud["speed"],
        "machine": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(_memory() / 2**30),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("ansible-core", "botocore")},
            "ecs-deploy": _output(
                str(ECS_DEPLOY), "-c", "import ecs_deploy; print(ecs_deploy.VERSION)"
            ),
            "awscli": importlib.metadata.version("awscli"),
        },
    }


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
