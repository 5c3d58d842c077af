"""Image layers on disk: stored under their digest, unpacked once per image."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

# https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class DigestMismatchError(Exception):
    """The bytes are not those their digest names; `actual` is the digest they have."""

    def __init__(self, actual: str) -> None:
        super().__init__(f"the bytes have digest {actual}")
        self.actual = actual


class BlobStore:
    """Blobs by digest (`sha256:<hex>`), and the folders that images are unpacked into."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._roots = folder / "roots"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._roots.mkdir(parents=True, exist_ok=True)
        self._unpacking = threading.Lock()

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def add(self, content: bytes, digests: Sequence[str]) -> str:
        """Store bytes; returns their digest. Raises DigestMismatchError unless it is in `digests`."""
        actual = "sha256:" + hashlib.sha256(content).hexdigest()
        if actual not in digests:
            raise DigestMismatchError(actual)
        target = self.path(actual)
        if not target.exists():
            with tempfile.NamedTemporaryFile(dir=self._blobs, delete=False) as file:
                file.write(content)
            Path(file.name).replace(target)
        return actual

    def unpack(self, image_digest: str, layers: Sequence[str]) -> Path:
        """Folder with the image's layers applied in order; unpacked at most once.

        Raises OSError or tarfile.TarError when a layer cannot be read.
        """
        root = self._roots / image_digest.removeprefix("sha256:")
        with self._unpacking:
            if root.exists():
                return root
            partial = Path(tempfile.mkdtemp(dir=self._roots))
            try:
                for layer in layers:
                    _apply(self.path(layer), partial)
                partial.chmod(0o755)
                partial.replace(root)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        return root


def _apply(layer: Path, root: Path) -> None:
    """Unpack one layer over the ones below it."""
    with tarfile.open(layer) as archive:
        for member in archive:
            name = os.path.basename(member.name)  # noqa: PTH119 - a name inside the archive
            folder = root / os.path.dirname(member.name).lstrip("/")  # noqa: PTH120
            if name == _OPAQUE:
                for entry in folder.iterdir() if folder.is_dir() else ():
                    _remove(entry)
            elif name.startswith(_WHITEOUT):
                _remove(folder / name.removeprefix(_WHITEOUT))
            else:
                # The data filter keeps members, links included, inside the root.
                archive.extract(member, root, filter="data")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
