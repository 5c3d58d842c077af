"""``image.toml``: what an application's image is made of, and the identity that follows from it."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Raised when the same inputs begin to give another image.
FORMAT = 1
_RELEASE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SKIPPED = frozenset({"__pycache__", ".git", ".venv", ".pytest_cache", ".mypy_cache"})


class BadDescriptionError(Exception):
    """The description of the image cannot be used; the message says why."""


@dataclass(frozen=True)
class Description:
    """What an image is made of.

    :ivar app: files and folders of the application, relative to ``root``.
    :ivar requirements: lock file of the dependencies, relative to ``root``, None without any.
    :ivar site_packages: where the dependencies are in the image, an absolute path.
    :ivar env: environment of the image, with the release's own on top.
    :ivar schema: schema revisions the release runs on, oldest first, empty where not given.
    """

    root: Path
    release: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    workdir: str
    ports: tuple[int, ...]
    app: tuple[str, ...]
    requirements: str | None
    site_packages: str = "/opt/lyo/site-packages"
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    stop_signal: str = "SIGTERM"
    schema: tuple[str, ...] = ()


def python_version() -> str:
    """Return the Python whose wheels go into the image, as ``3.13``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def architecture() -> str:
    """Return the processor architecture in OCI's words."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def check_release(name: str) -> str:
    """Return a release name that fits into a tag.

    :raises BadDescriptionError: it does not.
    """
    if not _RELEASE.fullmatch(name):
        raise BadDescriptionError(
            f"the release name {name!r} must be letters, digits, '.', '_' and '-', at most 64"
        )
    return name


def load(root: Path, file: str, release: str) -> Description:
    """Read the description of a release's image.

    :raises BadDescriptionError: the file is missing or wrong, or does not know the release.
    """
    check_release(release)
    path = root / file
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        image, layers = data["image"], data["layers"]
        releases: dict[str, Any] = data.get("releases", {})
        if release not in releases:
            known = ", ".join(releases) or "none"
            raise BadDescriptionError(f"{path} knows no release {release!r}; it knows: {known}")
        env = {**image.get("env", {}), **releases[release].get("env", {})}
        description = Description(
            root=root,
            release=release,
            entrypoint=tuple(image["entrypoint"]),
            cmd=tuple(image.get("cmd", ())),
            workdir=str(image.get("workdir", "/app")),
            ports=tuple(int(port) for port in image.get("ports", ())),
            app=tuple(layers["app"]),
            requirements=layers.get("requirements"),
            site_packages=str(layers.get("site_packages", "/opt/lyo/site-packages")),
            user=str(image.get("user", "")),
            stop_signal=str(image.get("stop_signal", "SIGTERM")),
            schema=_revisions(releases[release].get("schema", [])),
            env={str(k): str(v) for k, v in env.items()},
        )
    except FileNotFoundError:
        raise BadDescriptionError(
            f"{path} does not exist: app.path must be the application's folder"
        ) from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadDescriptionError(f"{path} is not a description of an image: {error!r}") from None
    for name in (*description.app, *filter(None, [description.requirements])):
        if not (root / name).exists():
            raise BadDescriptionError(f"{path} names {name}, which does not exist")
    return description


def _revisions(value: Any) -> tuple[str, ...]:
    """Return a release's schema revisions: names without spaces, for they become one label."""
    if not isinstance(value, list) or not all(
        isinstance(name, str) and name and not set(name) & set(" \t\n") for name in value
    ):
        raise ValueError(f"schema must be a list of revisions, not {value!r}")
    return tuple(value)


def app_files(description: Description) -> Iterator[tuple[str, Path]]:
    """Yield name (relative to the work folder) and path of the application's files, sorted."""
    for name in sorted(description.app):
        path = description.root / name
        found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in found:
            relative = file.relative_to(description.root)
            if not _SKIPPED & set(relative.parts) and file.suffix not in (".pyc", ".pyo"):
                yield relative.as_posix(), file


def dependencies_key(description: Description) -> str:
    """Return the hash under which the dependencies' layer is cached, empty without any."""
    if description.requirements is None:
        return ""
    lock = (description.root / description.requirements).read_bytes()
    inputs = f"{FORMAT}\n{python_version()}\n{sys.platform}\n{architecture()}\n".encode()
    return hashlib.sha256(inputs + lock).hexdigest()


def inputs_hash(description: Description) -> str:
    """Return the SHA-256 over everything the image is made from."""
    digest = hashlib.sha256()
    head = {
        "format": FORMAT,
        "release": description.release,
        "entrypoint": description.entrypoint,
        "cmd": description.cmd,
        "workdir": description.workdir,
        "ports": description.ports,
        "env": description.env,
        "site_packages": description.site_packages,
        "user": description.user,
        "stop_signal": description.stop_signal,
        "schema": description.schema,
        "python": python_version(),
        "platform": [sys.platform, architecture()],
        "dependencies": dependencies_key(description),
    }
    digest.update(json.dumps(head, sort_keys=True).encode())
    for name, file in app_files(description):
        digest.update(f"\n{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def docker_inputs_hash(root: Path, dockerfile: str, release: str) -> str:
    """Return the SHA-256 over a Dockerfile's build context and the release's name.

    :raises BadDescriptionError: there is no Dockerfile.
    """
    if not (root / dockerfile).is_file():
        raise BadDescriptionError(f"{root / dockerfile} does not exist, but builder is docker")
    digest = hashlib.sha256(f"{FORMAT}\n{release}\n{dockerfile}\n{architecture()}".encode())
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        relative = file.relative_to(root)
        if not _SKIPPED & set(relative.parts):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"\n{relative.as_posix()}\0{content}".encode())
    return digest.hexdigest()


def build_arguments(root: Path, file: str, release: str) -> dict[str, str]:
    """Return a Dockerfile's build arguments: ``RELEASE``, and what ``file`` sets for the release.

    ``LYO_SCHEMA_REVISION`` in the release's environment is the argument ``SCHEMA_REVISION``; what
    schema it runs on is ``SCHEMA``.

    :raises BadDescriptionError: there is such a file, and it does not know the release.
    """
    if not (root / file).is_file():
        return {"RELEASE": release}
    data = tomllib.loads((root / file).read_text(encoding="utf-8"))
    loaded = load(root, file, release)
    own: dict[str, str] = data["releases"][release].get("env", {})
    return {
        "RELEASE": release,
        "SCHEMA": " ".join(loaded.schema),
        **{name.removeprefix("LYO_"): loaded.env[name] for name in own},
    }


def tag(release: str, inputs: str) -> str:
    """Return the tag of an image: the release and the first 16 digits of its inputs' hash."""
    return f"{release}-{inputs[:16]}"
