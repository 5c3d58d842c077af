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

    :ivar app: files and folders of the application, relative to ``root``; ``*.yml`` names several.
    :ivar requirements: lock files of the dependencies, relative to ``root``.
    :ivar keep: folder of packages to what stays of it, in ``site_packages``: a bundle may bring a
        hundred times what is used.
    :ivar site_packages: where the dependencies are in the image, an absolute path.
    :ivar env: environment of the image, with the release's own on top.
    :ivar schema: schema revisions the release runs on, oldest first, empty where not given.
    :ivar context: what a Dockerfile is built from: the ``folder``, or of it only what is ``listed``
        here, as its .dockerignore says too.
    """

    root: Path
    release: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    workdir: str
    ports: tuple[int, ...]
    app: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    keep: dict[str, tuple[str, ...]] = field(default_factory=dict)
    site_packages: str = "/opt/lyo/site-packages"
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    stop_signal: str = "SIGTERM"
    schema: tuple[str, ...] = ()
    context: str = "folder"


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
            requirements=_locks(layers.get("requirements", [])),
            keep={str(k): tuple(v) for k, v in layers.get("keep", {}).items()},
            site_packages=str(layers.get("site_packages", "/opt/lyo/site-packages")),
            user=str(image.get("user", "")),
            stop_signal=str(image.get("stop_signal", "SIGTERM")),
            schema=_revisions(releases[release].get("schema", [])),
            env={str(k): str(v) for k, v in env.items()},
            context=_context(data.get("docker", {}).get("context", "folder")),
        )
    except FileNotFoundError:
        raise BadDescriptionError(
            f"{path} does not exist: app.path must be the application's folder"
        ) from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadDescriptionError(f"{path} is not a description of an image: {error!r}") from None
    for name in (*description.app, *description.requirements):
        if not any(root.glob(name)):
            raise BadDescriptionError(f"{path} names {name}, which does not exist")
    return description


def _locks(value: Any) -> tuple[str, ...]:
    """Return the lock files: one name, or a list of them."""
    return (value,) if isinstance(value, str) else tuple(str(name) for name in value)


def _context(value: Any) -> str:
    if value not in ("folder", "listed"):
        raise ValueError(f"docker.context must be folder or listed, not {value!r}")
    return str(value)


def _revisions(value: Any) -> tuple[str, ...]:
    """Return a release's schema revisions: names without spaces, for they become one label."""
    if not isinstance(value, list) or not all(
        isinstance(name, str) and name and not set(name) & set(" \t\n") for name in value
    ):
        raise ValueError(f"schema must be a list of revisions, not {value!r}")
    return tuple(value)


def app_files(description: Description) -> Iterator[tuple[str, Path]]:
    """Yield name (relative to the work folder) and path of the application's files, sorted."""
    root = description.root
    for path in sorted({path for name in description.app for path in root.glob(name)}):
        found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in found:
            relative = file.relative_to(description.root)
            if not _SKIPPED & set(relative.parts) and file.suffix not in (".pyc", ".pyo"):
                yield relative.as_posix(), file


def dependencies_key(description: Description) -> str:
    """Return the hash under which the dependencies' layer is cached, empty without any."""
    if not description.requirements:
        return ""
    locks = b"".join((description.root / name).read_bytes() for name in description.requirements)
    inputs = f"{FORMAT}\n{python_version()}\n{sys.platform}\n{architecture()}\n".encode()
    kept = json.dumps(description.keep, sort_keys=True).encode() if description.keep else b""
    return hashlib.sha256(inputs + locks + kept).hexdigest()


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


def docker_inputs_hash(
    root: Path, dockerfile: str, release: str, listed: Description | None = None
) -> str:
    """Return the SHA-256 over a Dockerfile's build context and the release's name.

    :param listed: the description, where the context is only what it lists.
    :raises BadDescriptionError: there is no Dockerfile.
    """
    if not (root / dockerfile).is_file():
        raise BadDescriptionError(f"{root / dockerfile} does not exist, but builder is docker")
    digest = hashlib.sha256(f"{FORMAT}\n{release}\n{dockerfile}\n{architecture()}".encode())
    if listed is not None:
        digest.update(hashlib.sha256((root / dockerfile).read_bytes()).digest())
        digest.update(inputs_hash(listed).encode())
        return digest.hexdigest()
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
