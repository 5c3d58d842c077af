"""Builds an OCI image without a container engine: the same inputs give the same bytes.

https://github.com/opencontainers/image-spec/blob/main/spec.md
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import description as d

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
KIND_LABEL = "lyo.image.kind"
# 1980-01-01, the earliest time every archive format can hold.
_EPOCH = 315532800


class BuildError(Exception):
    """The image cannot be built; the message says why."""


@dataclass(frozen=True)
class Blob:
    """A layer or a config: its bytes and their digest."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the bytes."""
        return _sha256(self.data)

    def descriptor(self) -> dict[str, Any]:
        """Return how a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


@dataclass(frozen=True)
class Image:
    """A built image."""

    manifest: bytes
    config: Blob
    layers: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        """Digest of the manifest: the image's name."""
        return _sha256(self.manifest)


def archive(files: Iterable[tuple[str, Path]]) -> bytes:
    """Return a tar of files under the given names, with nothing of this machine in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder, content in _with_folders(sorted(files)):
            info = tarfile.TarInfo(folder)
            info.mtime = _EPOCH
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            else:
                data = content.read_bytes()
                executable = os.access(content, os.X_OK)
                info.size, info.mode = len(data), 0o755 if executable else 0o644
                tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _with_folders(files: Iterable[tuple[str, Path]]) -> Iterable[tuple[str, Path | None]]:
    """Put each folder before the first file in it."""
    known: set[str] = set()
    for name, path in files:
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in known:
                known.add(folder)
                yield folder, None
        yield name, path


def layer(tar: bytes) -> Blob:
    """Return the compressed layer of a tar, without a time in its header."""
    return Blob(gzip.compress(tar, compresslevel=6, mtime=0), LAYER_TYPE)


def find_uv() -> str:
    """Return the path of ``uv``: beside this Python, else on PATH.

    :raises BuildError: it is nowhere.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise BuildError("uv is missing: run make setup, and start ansible-playbook from .venv/bin")
    return found


def install(locks: Sequence[Path], target: Path, run: Callable[..., Any] = subprocess.run) -> None:
    """Install the wheels of lock files into ``target``, each checked against its hash.

    :raises BuildError: ``uv`` fails; with its own words.
    """
    done = run(
        [
            find_uv(),
            "pip",
            "install",
            "--quiet",
            "--target",
            str(target),
            "--python",
            sys.executable,
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--no-deps",
            "--no-compile-bytecode",
            "--link-mode",
            "copy",
            *(word for lock in locks for word in ("--requirement", str(lock))),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        names = ", ".join(str(lock) for lock in locks)
        raise BuildError(f"the dependencies in {names} cannot be installed:\n{done.stderr.strip()}")


def prune(target: Path, keep: Mapping[str, Sequence[str]]) -> None:
    """Remove the folders below each folder of ``keep`` but those that it names, as ``a`` or ``a/b``.

    :raises BuildError: one that is to stay is not there.
    """
    for folder, names in keep.items():
        for name in names:
            if not (target / folder / name).is_dir():
                raise BuildError(f"{folder}/{name} is to stay in the image, but does not exist")
        wanted = [(target / folder / name) for name in names]
        for level in (target / folder).glob("*/"), (target / folder).glob("*/*/"):
            for found in list(level):
                if not any(found in (w, *w.parents) or w in found.parents for w in wanted):
                    shutil.rmtree(found)


def tidy(target: Path) -> None:
    """Remove what depends on the machine: console scripts, their records, installer's notes."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for name in (".lock", ".gitignore"):
        (target / name).unlink(missing_ok=True)
    for record in target.glob("*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = sorted(x for x in lines if not x.startswith(("bin/", "../../bin/", "../bin/")))
        record.write_text("".join(kept), encoding="utf-8")
    for cache in target.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def dependencies_layer(description: d.Description, cache: Path) -> Blob | None:
    """Return the dependencies' layer, from the cache when it is there; None without any.

    :raises BuildError: they cannot be installed.
    """
    if not description.requirements:
        return None
    place = description.site_packages.strip("/")
    key = hashlib.sha256(f"{d.dependencies_key(description)}\n{place}".encode()).hexdigest()
    kept = cache / f"packages-{key[:32]}.tar.gz"
    if kept.is_file():
        return Blob(kept.read_bytes(), LAYER_TYPE)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as folder:
        target = Path(folder) / "packages"
        install([description.root / name for name in description.requirements], target)
        prune(target, description.keep)
        tidy(target)
        files = (p for p in target.rglob("*") if p.is_file())
        made = layer(archive((f"{place}/{p.relative_to(target).as_posix()}", p) for p in files))
        # Renamed into place: two builds at once, or a killed one, leave a whole file or none.
        fresh = Path(folder) / "layer.tar.gz"
        fresh.write_bytes(made.data)
        fresh.replace(kept)
    return made


def build(
    description: d.Description, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Image:
    """Build the image of a release.

    :param cache: folder that keeps the dependencies' layer.
    :param say: told what is being done.
    :raises BuildError: it cannot be built.
    """
    say("dependencies")
    packages = dependencies_layer(description, cache)
    say("application")
    work = description.workdir.strip("/")
    app = layer(archive((f"{work}/{name}", path) for name, path in d.app_files(description)))
    layers = (app,) if packages is None else (packages, app)
    path = [description.workdir, *([] if packages is None else [description.site_packages])]
    env = {"PYTHONPATH": ":".join(path), **description.env}
    labels = {
        KIND_LABEL: "process",
        "lyo.image.python": d.python_version(),
        "lyo.image.inputs": d.inputs_hash(description),
        "lyo.release": description.release,
        "lyo.schema": " ".join(description.schema),
    }
    config = {
        "architecture": d.architecture(),
        "os": "linux",
        "config": {
            "Env": [f"{key}={value}" for key, value in sorted(env.items())],
            "Entrypoint": list(description.entrypoint),
            "Cmd": list(description.cmd),
            "WorkingDir": description.workdir,
            "ExposedPorts": {f"{port}/tcp": {} for port in description.ports},
            "Labels": {key: value for key, value in labels.items() if value},
            "User": description.user,
            "StopSignal": description.stop_signal,
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [_sha256(gzip.decompress(entry.data)) for entry in layers],
        },
    }
    blob = Blob(_json(config), CONFIG_TYPE)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": blob.descriptor(),
        "layers": [entry.descriptor() for entry in layers],
    }
    return Image(_json(manifest), blob, layers)


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
