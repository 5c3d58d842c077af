"""Reading what another process appends to a file."""

from __future__ import annotations

from pathlib import Path


class Tail:
    """Complete lines added to a file since the last look."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def lines(self) -> list[str]:
        """The new lines; an unfinished last one is left for the next call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self.offset += end
        return data[:end].decode(errors="replace").splitlines()
