"""The rows of one tenant out of a part: pg_restore's COPY text, filtered line by line.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator

from . import parts, tools
from .failures import DamagedError, EndError
from .manifest import Manifest, Part
from .store import Store
from .tools import Group

_HEADER = re.compile(rb"COPY .+? \((?P<columns>.*)\) FROM stdin;")
_COLUMN = re.compile(r'"((?:[^"]|"")*)"|([^",\s]+)')
_ESCAPES = {
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_END = b"\\."


def escaped(value: str) -> bytes:
    """Return a value as COPY writes it."""
    return "".join(_ESCAPES.get(character, character) for character in value).encode()


def columns(header: bytes) -> list[str]:
    """Return the columns of a COPY statement, empty for another line."""
    found = _HEADER.fullmatch(header)
    if found is None:
        return []
    names = _COLUMN.findall(found["columns"].decode())
    return [quoted.replace('""', '"') if quoted else plain for quoted, plain in names]


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream, without their ends."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def matching(stream: Iterator[bytes], column: str, value: str) -> Iterator[list[str] | bytes]:
    """Yield the columns of each COPY block, then its rows whose column has a value, as they are."""
    wanted = escaped(value)
    while (line := next(stream, None)) is not None:
        names = columns(line)
        if not names:
            continue
        yield names
        at = names.index(column)
        while (row := next(stream, _END)) != _END:
            # Most rows are others': looking for the value first spares splitting them.
            if wanted in row and row.split(b"\t", at + 1)[at] == wanted:
                yield row + b"\n"


def of_tenant(
    store: Store, manifest: Manifest, part: Part, column: str, tenant: str
) -> Iterator[list[str] | bytes]:
    """Yield the columns of a table's part, then the rows of one tenant in COPY's text.

    What was yielded counts only once the iterator has ended well: only then is the part known whole.

    :raises DamagedError: the part is damaged.
    """
    group = Group()
    errors: list[BaseException] = []
    argv = [parts.RESTORE, "--data-only", "--file=-"]
    env = tools.environment(os.environ)
    with group.run(argv, env, stdin=tools.PIPE, stdout=tools.PIPE) as child:

        def feed() -> None:
            try:
                for chunk in parts.plain(store, manifest, part):
                    child.write(chunk)
            except BaseException as error:
                errors.append(error)
                group.stop()
            finally:
                child.close()

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            yield from matching(lines(child.read()), column, tenant)
            feeder.join()
            child.wait(f"reading {part.key}")
        except Exception as error:
            group.stop()
            feeder.join()
            if errors:
                raise errors[0] from None
            if isinstance(error, EndError):
                raise DamagedError([str(error)]) from error
            raise
        if errors:
            raise errors[0]
