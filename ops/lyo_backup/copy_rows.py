"""The rows of one tenant out of a part: pg_restore's COPY text, filtered line by line.

A part may have many tables; it is read once.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from . import parts, tools
from .failures import DamagedError, EndError
from .manifest import Manifest, Part
from .store import Store
from .tools import Group

_NAME = rb'(?:"(?:[^"]|"")*"|[^".,()\s]+)'
_HEADER = re.compile(rb"COPY (?P<table>%b\.%b) \((?P<columns>.*)\) FROM stdin;" % (_NAME, _NAME))
_NAMES = re.compile(r'"((?:[^"]|"")*)"|([^".,\s]+)')
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


@dataclass(frozen=True)
class Block:
    """What a part has of one table.

    :ivar table: its name with schema.
    :ivar rows: the tenant's, as COPY has them; to be read before the next block.
    """

    table: str
    columns: list[str]
    rows: Iterator[bytes]


def header(line: bytes) -> tuple[str, list[str]]:
    """Return the table and the columns of a COPY statement, both empty for another line."""
    found = _HEADER.fullmatch(line)
    if found is None:
        return "", []
    return ".".join(_names(found["table"])), _names(found["columns"])


def _names(text: bytes) -> list[str]:
    found = _NAMES.findall(text.decode())
    return [quoted.replace('""', '"') if quoted else plain for quoted, plain in found]


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream, without their ends."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def matching(stream: Iterator[bytes], wanted: Mapping[str, str], value: str) -> Iterator[Block]:
    """Yield COPY blocks, with the rows that have a value in a column.

    :param wanted: that column by table; other tables are left out.
    """
    while (line := next(stream, None)) is not None:
        table, columns = header(line)
        if not columns:
            continue
        rows = _until_end(stream)
        if table in wanted:
            yield Block(table, columns, _having(rows, columns.index(wanted[table]), escaped(value)))
        for _ in rows:  # what nobody wanted
            pass


def _until_end(stream: Iterator[bytes]) -> Iterator[bytes]:
    while (row := next(stream, _END)) != _END:
        yield row


def _having(rows: Iterator[bytes], at: int, value: bytes) -> Iterator[bytes]:
    for row in rows:
        # Most rows are others': looking for the value first spares splitting them.
        if value in row and row.split(b"\t", at + 1)[at] == value:
            yield row + b"\n"


def of_tenant(
    store: Store, manifest: Manifest, part: Part, wanted: Mapping[str, str], tenant: str
) -> Iterator[Block]:
    """Yield what a part has of one tenant, table by table.

    What was yielded counts only once the iterator has ended well: only then is the part known whole.

    :param wanted: the tenant's column by table.
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
            yield from matching(lines(child.read()), wanted, tenant)
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
