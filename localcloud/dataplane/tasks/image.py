"""From a process image and a container definition to the command that runs.

A process image is an OCI image labelled ``lyo.image.kind: process``: its layers hold the
application, not an operating system. Shell, core utilities and the Python interpreter are this
machine's. Absolute paths in the working directory, the command, PATH and PYTHONPATH mean paths
below the image's root, like in a container.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KIND_LABEL = "lyo.image.kind"
PROCESS_KIND = "process"
PYTHON_LABEL = "lyo.image.python"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

#: Variables whose value is a list of folders inside the container.
_PATH_LISTS = ("PATH", "PYTHONPATH")
_PYTHON = re.compile(r"(?:/usr(?:/local)?/bin/)?python3?(?:\.\d+)?")
_BASE_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
_SHELLS = ("sh", "/bin/sh", "/usr/bin/sh")


class NotRunnableError(Exception):
    """The image or its command cannot be run; the message is the reason a task stops with."""


@dataclass(frozen=True)
class Command:
    """What to execute, complete: nothing of the local cloud's own environment is inherited."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


def check_kind(config: Mapping[str, Any], image: str) -> None:
    """Refuse an image that needs a container engine or another Python (NotRunnableError)."""
    labels = config.get("Labels") or {}
    if labels.get(KIND_LABEL) != PROCESS_KIND:
        raise NotRunnableError(
            f"image {image} lacks the label {KIND_LABEL}={PROCESS_KIND}: it needs a container "
            "engine, and this local cloud runs process images only"
        )
    built_for = labels.get(PYTHON_LABEL, PYTHON_VERSION)
    if built_for != PYTHON_VERSION:
        raise NotRunnableError(
            f"image {image} was built for Python {built_for}, this local cloud runs "
            f"{PYTHON_VERSION}: build it with the Python that the local cloud was started with"
        )


def interpreter() -> str:
    """Python without the virtual environment: an image brings its own packages, or lacks them."""
    base = Path(sys.base_prefix, "bin", f"python{PYTHON_VERSION}")
    return str(base) if base.is_file() else sys.executable


def words(
    config: Mapping[str, Any],
    entry_point: Sequence[str] | None,
    command: Sequence[str] | None,
) -> list[str]:
    """Entry point and command as a container engine combines them.

    An entry point given from outside drops the image's command as well
    (https://docs.docker.com/reference/cli/docker/container/run/#entrypoint, which the
    ``entryPoint`` of a container definition maps to).
    """
    if entry_point:
        return [*entry_point, *(command or ())]
    return [*(config.get("Entrypoint") or ()), *(command or config.get("Cmd") or ())]


def environment(
    config: Mapping[str, Any],
    root: Path,
    *layers: Mapping[str, str],
    base_path: Sequence[str] = (),
) -> dict[str, str]:
    """The image's Env, then each layer over it, then path lists mapped below ``root``.

    base_path: folders of this machine that come after the image's in PATH, before the system's.
    """
    env: dict[str, str] = {}
    for entry in config.get("Env") or ():
        name, _, value = entry.partition("=")
        env[name] = value
    for layer in layers:
        env.update(layer)
    for name in _PATH_LISTS:
        if name in env:
            env[name] = os.pathsep.join(
                str(below(root, part)) for part in env[name].split(os.pathsep) if part
            )
    env["PATH"] = os.pathsep.join(filter(None, [env.get("PATH", ""), *base_path, *_BASE_PATH]))
    return env


def below(root: Path, path: str) -> Path:
    """A container's path on this machine; ``..`` cannot leave the root."""
    return root / os.path.normpath("/" + path).lstrip("/")


def working_directory(config: Mapping[str, Any], root: Path, override: str | None) -> Path:
    """The folder the container starts in (NotRunnableError when the image has none such)."""
    inside = override or config.get("WorkingDir") or "/"
    folder = below(root, inside)
    if not folder.is_dir():
        raise NotRunnableError(f"the working directory {inside} is not in the image")
    return folder


def resolve(argv: Sequence[str], root: Path, cwd: Path, path: str) -> tuple[str, ...]:
    """The command with its program as a file of this machine.

    ``python`` is the interpreter that the local cloud's environment was made from, ``sh`` this machine's shell; anything
    else must be in the image: an absolute path below its root, a relative one below the working
    directory, a bare name in the image's PATH.
    """
    if not argv:
        raise NotRunnableError("no command specified")
    program, rest = argv[0], argv[1:]
    folders = [Path(part) for part in path.split(os.pathsep) if part]
    if "/" in program:
        candidates = [below(root, program) if program.startswith("/") else cwd / program]
    else:
        candidates = [folder / program for folder in folders if folder.is_relative_to(root)]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return (str(candidate), *rest)
    if _PYTHON.fullmatch(program):
        return (interpreter(), *rest)
    if program in _SHELLS:
        return ("/bin/sh", *rest)
    raise NotRunnableError(f'exec: "{program}": executable file not found in $PATH')


def write_python_shim(folder: Path) -> None:
    """Make ``python`` in a shell of a container the same interpreter as in its command.

    A script that replaces itself: a link would lose the folder that the interpreter is found by.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        shim = folder / name
        shim.write_text(f"#!/bin/sh\nexec '{interpreter()}' \"$@\"\n")
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
