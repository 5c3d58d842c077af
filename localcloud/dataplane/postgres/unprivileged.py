"""Run a program as somebody who is not root: `unprivileged.py PROGRAM ARGUMENT...`.

PostgreSQL refuses to run as root. In a user namespace of its own the process keeps its access to
its files, but sees itself as user 65534 (nobody) and has none of root's powers. No account is made
and no file changes its owner. Run by file name, without the rest of the package.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2
_NOBODY = 65534


def main(argv: list[str]) -> int:
    """Enter the namespace and become the program; returns only when that fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent_death = ctypes.c_int(0)
    libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(parent_death))
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER) != 0:
        reason = os.strerror(ctypes.get_errno())
        sys.stderr.write(
            f"PostgreSQL does not run as root, and no user namespace can be made here ({reason}): "
            "run the local cloud as an ordinary user.\n"
        )
        return 1
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {gid} 1")
    # A change of credentials clears it, and the server must not outlive the local cloud.
    libc.prctl(_PR_SET_PDEATHSIG, parent_death)
    os.execv(argv[0], argv)  # noqa: S606 - the command line is ours
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
