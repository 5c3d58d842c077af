"""The manifest of a backup: what it holds, and what each of its parts has to be. Format 2.

A backup exists only with its manifest, which is written last. In format 1, which is still read, a
part had one table (`table`, not `tables`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

FORMAT = 2
READABLE = (1, FORMAT)
PRE_DATA, DATA, REST, POST_DATA = "pre-data", "data", "rest", "post-data"


class BadManifestError(Exception):
    """The manifest cannot be relied on; the message says why."""


@dataclass(frozen=True)
class Table:
    """A table as it was in the snapshot.

    :ivar name: with its schema, as people read it.
    :ivar bytes: its size on disk in the source, without indexes.
    :ivar checksum: of all rows, whatever their order: 16 hex digits.
    :ivar method: how rows were hashed, ``record`` or ``text``.
    :ivar tenant_column: empty where no column holds the tenant.
    :ivar rows_per_tenant: by tenant; rows without one are under the empty name.
    """

    schema: str
    table: str
    name: str
    rows: int
    bytes: int
    checksum: str
    method: str
    tenant_column: str = ""
    rows_per_tenant: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sequence:
    """A sequence. Sequences are in no snapshot: the part has a value between these two.

    :ivar last_value: before the part was made.
    :ivar latest: after it.
    """

    name: str
    last_value: int
    is_called: bool
    latest: int
    latest_is_called: bool


@dataclass(frozen=True)
class Part:
    """An object of the backup.

    :ivar section: ``pre-data``, ``data`` (rows), ``rest`` (sequences, large objects, what
        extensions hold) or ``post-data``.
    :ivar tables: names of the tables whose rows it has, of ``data`` alone.
    :ivar bytes: of the object, compressed.
    :ivar plain_bytes: before compression.
    :ivar version_id: of the object, empty in a bucket without versions.
    """

    key: str
    section: str
    tables: tuple[str, ...]
    bytes: int
    plain_bytes: int
    sha256: str
    version_id: str

    @property
    def label(self) -> str:
        """What it is, for people."""
        return label(self.section, self.tables)


@dataclass(frozen=True)
class Manifest:
    """All of it.

    :ivar snapshot_lsn: place in the write-ahead log; what was committed before it is in the backup.
    :ivar roles: owners and grantees that the objects name.
    :ivar constraints: by table and name, whether it is validated.
    :ivar indexes: the valid ones, with schema.
    """

    id: str
    began: str
    finished: str
    server_version: str
    tools: Mapping[str, str]
    database: str
    encoding: str
    schema_revision: str
    snapshot_lsn: str
    tables: tuple[Table, ...]
    sequences: tuple[Sequence, ...]
    constraints: Mapping[str, bool]
    indexes: tuple[str, ...]
    roles: tuple[str, ...]
    parts: tuple[Part, ...]
    total_bytes: int
    jobs: int
    compression: str
    format: int = FORMAT
    copied_from: str = ""

    def encode(self) -> bytes:
        """Return it as JSON, with a digest over everything else in it."""
        document = asdict(self)
        document["digest"] = _digest(document)
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    def of(self, section: str) -> list[Part]:
        """Return the parts of a section, the largest first."""
        found = [part for part in self.parts if part.section == section]
        return sorted(found, key=lambda part: -part.bytes)

    def table(self, name: str) -> Table | None:
        """Return a table by its name with schema."""
        return next((table for table in self.tables if table.name == name), None)


def label(section: str, tables: tuple[str, ...]) -> str:
    """Return how people read a part: its first table and how many more, or its section."""
    if not tables:
        return section
    return f"{tables[0]} and {len(tables) - 1} more" if len(tables) > 1 else tables[0]


def _digest(document: Mapping[str, Any]) -> str:
    """Return the sha256 of a document's content, however it is laid out."""
    # Through JSON and back, so that tuples and lists are the same.
    plain = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def decode(text: bytes, backup_id: str) -> Manifest:
    """Return the manifest of a backup, proven whole.

    :raises BadManifestError: it is not JSON, of another format, changed, or another backup's.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadManifestError(f"the manifest is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadManifestError("the manifest is no object")
    if document.get("format") not in READABLE:
        raise BadManifestError(
            f"the manifest has format {document.get('format')!r}; this program reads"
            f" {' and '.join(map(str, READABLE))}"
        )
    digest = document.pop("digest", None)
    if digest != _digest(document):
        raise BadManifestError("the manifest was changed after it was written: its digest differs")
    if document.get("id") != backup_id:
        raise BadManifestError(f"the manifest is that of {document.get('id')!r}")
    try:
        manifest = _built(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadManifestError(f"the manifest lacks something: {error}") from error
    _consistent(manifest)
    return manifest


def _built(document: Mapping[str, Any]) -> Manifest:
    plain: dict[str, Any] = {entry.name: document[entry.name] for entry in fields(Manifest)}
    plain["tables"] = tuple(Table(**entry) for entry in document["tables"])
    plain["sequences"] = tuple(Sequence(**entry) for entry in document["sequences"])
    parts = document["parts"]
    if document["format"] == 1:
        parts = [_with_tables(entry) for entry in parts]
    plain["format"] = FORMAT
    plain["parts"] = tuple(Part(**{**e, "tables": tuple(e["tables"])}) for e in parts)
    plain["indexes"], plain["roles"] = tuple(document["indexes"]), tuple(document["roles"])
    return Manifest(**plain)


def _with_tables(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of format 1 as it is now."""
    found = dict(part)
    table = found.pop("table")
    return {**found, "tables": [table] if table else []}


def _consistent(manifest: Manifest) -> None:
    """Whoever made a manifest by hand forgets something.

    :raises BadManifestError: its members contradict each other.
    """
    tables = [table.name for table in manifest.tables]
    parts = [table for part in manifest.parts if part.section == DATA for table in part.tables]
    if sorted(tables) != sorted(parts):
        raise BadManifestError("the manifest's tables and parts are not the same")
    for section in (PRE_DATA, REST, POST_DATA):
        if len(manifest.of(section)) != 1:
            raise BadManifestError(f"the manifest has not exactly one part {section}")
    if sum(part.bytes for part in manifest.parts) != manifest.total_bytes:
        raise BadManifestError("the manifest's total_bytes is not the sum of its parts")
    for table in manifest.tables:
        if table.tenant_column and sum(table.rows_per_tenant.values()) != table.rows:
            raise BadManifestError(f"the rows per tenant of {table.name} are not all of its rows")
