"""A tenant's rows of one table: as the backup has them, beside the live ones.

The backup's are in a temporary table. Rows are told apart by the primary key; where a table has none,
by all that is in them, counting equal ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg import sql

from .database import Connection
from .manifest import Table

ROWS_OF_ALL = "lyo_whole"


@dataclass(frozen=True)
class Difference:
    """How the live rows of a tenant differ from the backup's.

    :ivar hashes: of the rows behind each count, so that an approval is for these rows.
    """

    missing: int
    different: int
    extra: int
    same: int
    hashes: tuple[str, str, str]


@dataclass
class Beside:
    """One table.

    :ivar number: of its temporary table.
    :ivar columns: those that the backup has.
    :ivar key: the primary key's columns, empty for none.
    """

    table: Table
    tenant: str
    number: int
    columns: list[str]
    key: list[str] = field(default_factory=list)

    @property
    def _live(self) -> sql.Identifier:
        return sql.Identifier(self.table.schema, self.table.table)

    @property
    def kept(self) -> sql.Identifier:
        """The temporary table."""
        return sql.Identifier("pg_temp", f"lyo_{self.number}")

    @property
    def stage(self) -> sql.Composed:
        """COPY into the temporary table."""
        return sql.SQL("COPY {} ({}) FROM STDIN").format(self.kept, self._list())

    def _list(self, alias: str = "") -> sql.Composed:
        names = (sql.Identifier(alias, n) if alias else sql.Identifier(n) for n in self.columns)
        return sql.SQL(", ").join(names)

    def _row(self, alias: str) -> sql.Composed:
        return sql.SQL("ROW({})::text").format(self._list(alias))

    def _joined(self) -> sql.Composed:
        pairs = (sql.SQL("b.{0} = l.{0}").format(sql.Identifier(name)) for name in self.key)
        return sql.SQL(" AND ").join(pairs)

    def _mine(self) -> sql.Composed:
        column = sql.Identifier("l", self.table.tenant_column)
        return sql.SQL("{}::text = {}").format(column, sql.Literal(self.tenant))

    def prepare(self, connection: Connection) -> None:
        """Make the temporary table."""
        connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM ONLY {} WITH NO DATA").format(
                self.kept, self._list(), self._live
            )
        )

    def foreign(self, connection: Connection) -> int:
        """Return how many of the backup's rows have a key that is another tenant's by now."""
        if not self.key:
            return 0
        row = connection.execute(
            sql.SQL("SELECT count(*) FROM {} b JOIN ONLY {} l ON {} WHERE ({}) IS NOT TRUE").format(
                self.kept, self._live, self._joined(), self._mine()
            )
        ).fetchone()
        return int(row[0]) if row else 0

    def compare(self, connection: Connection) -> Difference:
        """Compare."""
        counts, hashes = [], []
        for query in (self._missing(), self._different(), self._extra()):
            row = connection.execute(
                sql.SQL(
                    "SELECT count(*), coalesce(sum(hashtextextended(q.{}, 0)), 0)::text FROM ({}) q"
                ).format(sql.Identifier(ROWS_OF_ALL), query)
            ).fetchone()
            assert row is not None
            counts.append(int(row[0]))
            hashes.append(str(row[1]))
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self.kept)).fetchone()
        held = int(row[0]) if row else 0
        missing, different, extra = counts
        same = held - missing - different
        return Difference(missing, different, extra, same, (hashes[0], hashes[1], hashes[2]))

    def _missing(self) -> sql.Composed:
        """Rows of the backup that are not there."""
        whole = sql.Identifier(ROWS_OF_ALL)
        if self.key:
            return sql.SQL(
                "SELECT b.*, {} AS {} FROM {} b WHERE NOT EXISTS (SELECT 1 FROM ONLY {} l WHERE {})"
            ).format(self._row("b"), whole, self.kept, self._live, self._joined())
        numbered = sql.SQL(
            "SELECT b.*, {0} AS {1}, row_number() OVER (PARTITION BY {0}) AS lyo_n FROM {2} b"
        ).format(self._row("b"), whole, self.kept)
        there = sql.SQL(
            "SELECT {} AS {}, count(*) AS lyo_c FROM ONLY {} l WHERE {} GROUP BY 1"
        ).format(self._row("l"), whole, self._live, self._mine())
        return sql.SQL(
            "SELECT m.* FROM ({}) m LEFT JOIN ({}) t USING ({}) WHERE m.lyo_n > coalesce(t.lyo_c, 0)"
        ).format(numbered, there, whole)

    def _different(self) -> sql.Composed:
        """Rows of the backup that are there, but not the same; none without a key."""
        if not self.key:
            return sql.SQL("SELECT NULL::text AS {} WHERE false").format(
                sql.Identifier(ROWS_OF_ALL)
            )
        return sql.SQL(
            "SELECT b.*, {} || {} AS {} FROM {} b JOIN ONLY {} l ON {} AND {} WHERE {} <> {}"
        ).format(
            self._row("b"),
            self._row("l"),
            sql.Identifier(ROWS_OF_ALL),
            self.kept,
            self._live,
            self._joined(),
            self._mine(),
            self._row("b"),
            self._row("l"),
        )

    def _extra(self) -> sql.Composed:
        """Rows of the tenant that the backup has not."""
        whole = sql.Identifier(ROWS_OF_ALL)
        if self.key:
            return sql.SQL(
                "SELECT l.ctid AS lyo_ctid, {} AS {} FROM ONLY {} l WHERE {}"
                " AND NOT EXISTS (SELECT 1 FROM {} b WHERE {})"
            ).format(self._row("l"), whole, self._live, self._mine(), self.kept, self._joined())
        numbered = sql.SQL(
            "SELECT l.ctid AS lyo_ctid, {0} AS {1}, row_number() OVER (PARTITION BY {0}) AS lyo_n"
            " FROM ONLY {2} l WHERE {3}"
        ).format(self._row("l"), whole, self._live, self._mine())
        held = sql.SQL("SELECT {} AS {}, count(*) AS lyo_c FROM {} b GROUP BY 1").format(
            self._row("b"), whole, self.kept
        )
        return sql.SQL(
            "SELECT m.* FROM ({}) m LEFT JOIN ({}) t USING ({}) WHERE m.lyo_n > coalesce(t.lyo_c, 0)"
        ).format(numbered, held, whole)

    def insert(self, connection: Connection) -> int:
        """Bring back the missing rows; returns how many."""
        return connection.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM ({}) q").format(
                self._live, self._list(), self._list("q"), self._missing()
            )
        ).rowcount

    def update(self, connection: Connection) -> int:
        """Make the different rows what they were; returns how many."""
        others = [name for name in self.columns if name not in self.key]
        if not self.key or not others:
            return 0
        values = sql.SQL(", ").join(
            sql.SQL("{0} = b.{0}").format(sql.Identifier(name)) for name in others
        )
        return connection.execute(
            sql.SQL("UPDATE ONLY {} AS l SET {} FROM {} b WHERE {} AND {} AND {} <> {}").format(
                self._live,
                values,
                self.kept,
                self._joined(),
                self._mine(),
                self._row("b"),
                self._row("l"),
            )
        ).rowcount

    def delete(self, connection: Connection) -> int:
        """Remove the rows that the backup has not; returns how many."""
        return connection.execute(
            sql.SQL(
                "DELETE FROM ONLY {} l WHERE {} AND l.ctid IN (SELECT q.lyo_ctid FROM ({}) q)"
            ).format(self._live, self._mine(), self._extra())
        ).rowcount
