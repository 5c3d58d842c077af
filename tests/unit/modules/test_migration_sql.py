from __future__ import annotations

import pytest
from ansible.module_utils.lyo_migration.sql import (
    line_of,
    named,
    statements,
    table_of,
    without_comments,
)


def words(sql: str) -> list[str]:
    return [statement.words for statement in statements(sql)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'a;b'; SELECT 2", ["SELECT ?", "SELECT 2"]),
        ("SELECT E'a\\';b'; SELECT 2", ["SELECT ?", "SELECT 2"]),
        ("DO $x$ a; $$ b; $x$; SELECT 2", ["DO ?", "SELECT 2"]),
        ("SELECT 1 /* ; /* ; */ ; */ ; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 -- ; \n; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ('SELECT "A;b", "plain"', ['SELECT "A;b" , PLAIN']),
        (
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END; SELECT 2",
            [
                "CREATE FUNCTION F ( ) BEGIN ATOMIC SELECT CASE WHEN A THEN 1 END ; END",
                "SELECT 2",
            ],
        ),
        ("SELECT 'never closed; SELECT 2", ["SELECT ?"]),
        (" ; ;\n", []),
    ],
)
def test_statements_end_where_postgresql_ends_them(sql: str, expected: list[str]) -> None:
    assert words(sql) == expected


def test_transactions_are_followed() -> None:
    found = statements("A; BEGIN; B; ROLLBACK TO s; C; COMMIT; D; START TRANSACTION; E; END; F")
    inside = {s.words for s in found if s.in_transaction}
    assert inside == {"B", "ROLLBACK TO S", "C", "E"}


def test_a_comment_belongs_to_the_statement_beside_it() -> None:
    one, two = statements("-- before\nSELECT 1 /* in */; -- behind\n-- next\nSELECT 2")
    assert one.comments == ("-- before", "/* in */", "-- behind")
    assert two.comments == ("-- next",)


def test_comments_become_spaces() -> None:
    sql = "SELECT '--no' /* a\nb */ -- c\nFROM t"
    stripped = without_comments(sql)
    assert stripped.split() == ["SELECT", "'--no'", "FROM", "t"]
    assert [len(line) for line in stripped.split("\n")] == [len(line) for line in sql.split("\n")]
    assert line_of(sql, sql.index("FROM")) == 3


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("ALTER TABLE IF EXISTS ONLY public.Bookings ADD x int", "bookings"),
        ('ALTER TABLE "Odd ""one" ADD x int', 'Odd "one'),
        ("create unique index concurrently if not exists i on archive.t using btree (x)", "archive.t"),
        ("UPDATE ONLY bookings b SET x = 1", "bookings"),
        ("WITH old AS (SELECT 1) DELETE FROM bookings", "bookings"),
        ("VACUUM (FULL, ANALYZE) bookings", "bookings"),
        ("REINDEX TABLE CONCURRENTLY bookings", "bookings"),
        ("CREATE TRIGGER a BEFORE INSERT OR UPDATE ON bookings FOR EACH ROW EXECUTE FUNCTION f()", "bookings"),
        ("TRUNCATE TABLE bookings", "bookings"),
        ("DROP TABLE IF EXISTS bookings", "bookings"),
        ("INSERT INTO bookings SELECT * FROM inbox", "bookings"),
        ("SET work_mem = '1MB'", ""),
    ],
)  # fmt: skip
def test_the_table_of_a_statement(sql: str, table: str) -> None:
    assert table_of(statements(sql)[0].words) == table


def test_names_are_folded_as_postgresql_folds_them() -> None:
    assert named("PUBLIC.BOOKINGS") == "bookings"
    assert named('"Odd".X') == "Odd.x"
