"""Copies of data folders, sharing blocks where the file system can."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_FICLONE = 0x40049409

# Belongs to a running server or to the past of the one copied from.
_NOT_COPIED = frozenset({"postmaster.pid", "postmaster.opts"})


def _share(source: str, target: str) -> str:
    import fcntl

    with Path(source).open("rb") as reader, Path(target).open("wb") as writer:
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
    shutil.copymode(source, target)
    return target


def _can_share(source: Path, target: Path) -> bool:
    """Whether blocks can be shared between the two places, found out with one small file."""
    probe = target.with_name(f"{target.name}.probe")
    try:
        _share(str(source / "PG_VERSION"), str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def clone(source: Path, target: Path) -> None:
    """Copy a data folder of a server that is not running (or a backup) to a new place.

    Blocks are shared copy-on-write where the file system offers it (btrfs, XFS); hard links are
    never used, since PostgreSQL writes into its files. Raises FileExistsError.
    """
    share = _share if sys.platform == "linux" and _can_share(source, target) else shutil.copy
    shutil.copytree(
        source,
        target,
        copy_function=share,
        symlinks=True,
        ignore=lambda _, names: _NOT_COPIED.intersection(names),
    )
    target.chmod(0o700)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
