"""One tenant brought back from a backup into the live database: this tenant's rows and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.backup.harness import Bench, Ended
from tests.backup.schema import BOOKINGS, TENANTS

TABLES = ("tenants", "customers", "bookings", "inbox", "visits", "archive.bookings")


@pytest.fixture
def live(bench: Bench, made: str) -> Iterator[str]:
    """A copy of the database that `made` is a backup of."""
    bench.sql(
        "postgres",
        "DROP DATABASE IF EXISTS today WITH (FORCE)",
        "CREATE DATABASE today TEMPLATE live",
    )
    yield "today"
    bench.sql("postgres", "DROP DATABASE IF EXISTS today WITH (FORCE)")


def content(bench: Bench, database: str) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: bench.sql(database, f"SELECT t::text FROM {name} t ORDER BY 1") for name in TABLES
    }


def others(bench: Bench, database: str, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """Where every row of everybody else lies: an update would move it."""
    return {
        name: bench.sql(
            database,
            f"SELECT tableoid, ctid, xmin FROM {name} WHERE"
            f" {'id' if name == 'tenants' else 'tenant_id'} IS DISTINCT FROM '{tenant}' ORDER BY 1, 2",
        )
        for name in TABLES[:5]
    }


def approved(bench: Bench, database: str, made: str, *more: str) -> Ended:
    """Look first, then approve what was shown."""
    argv = ["tenant", "--id", made, "--tenant", "t2", *more]
    before = content(bench, database)
    shown = bench.run(database, *argv)
    assert content(bench, database) == before
    return bench.run(database, *argv, "--approve", shown.event("approval")["digest"])


def test_a_tenant_deleted_by_mistake_is_brought_back(bench: Bench, live: str, made: str) -> None:
    before, untouched = content(bench, live), others(bench, live, "t2")
    bench.sql(
        live,
        "DELETE FROM visits WHERE tenant_id = 't2'",
        "DELETE FROM tenants WHERE id = 't2'",
    )
    assert content(bench, live) != before
    done = approved(bench, live, made).event("done")
    assert done["changed"] is True
    assert done["missing"] == 1 + 40 + BOOKINGS // TENANTS + 20
    assert content(bench, live) == before
    assert others(bench, live, "t2") == untouched
    again = bench.run(live, "tenant", "--id", made, "--tenant", "t2")
    assert again.event("done")["digest"] == "nothing"


def test_only_what_is_missing_comes_back(bench: Bench, live: str, made: str) -> None:
    bench.sql(
        live,
        "DELETE FROM bookings WHERE tenant_id = 't2' AND id % 2 = 0",
        "UPDATE customers SET name = 'changed since' WHERE tenant_id = 't2' AND wa_id = '391'",
        "INSERT INTO customers VALUES ('t2', 'new', 'new')",
    )
    approved(bench, live, made)
    assert bench.sql(live, "SELECT count(*) FROM bookings") == [(BOOKINGS,)]
    assert bench.sql(
        live, "SELECT name FROM customers WHERE tenant_id = 't2' AND wa_id = '391'"
    ) == [("changed since",)]
    assert bench.sql(live, "SELECT count(*) FROM customers WHERE wa_id = 'new'") == [(1,)]


def test_replace_makes_it_what_it_was(bench: Bench, live: str, made: str) -> None:
    before, untouched = content(bench, live), others(bench, live, "t2")
    bench.sql(
        live,
        "DELETE FROM bookings WHERE tenant_id = 't2' AND id % 2 = 0",
        "UPDATE customers SET name = 'changed since' WHERE tenant_id = 't2' AND wa_id = '391'",
        "INSERT INTO customers VALUES ('t2', 'new', 'new')",
        # An old booking hangs on the new customer: taking the customer away must not take it along.
        "UPDATE bookings SET wa_id = 'new' WHERE id = (SELECT min(id) FROM bookings WHERE tenant_id = 't2')",
        "INSERT INTO bookings (tenant_id, wa_id, guests, message_id) VALUES ('t2', 'new', 2, 'new')",
        "INSERT INTO visits SELECT at, tenant_id FROM visits WHERE tenant_id = 't2' LIMIT 3",
        "DELETE FROM visits WHERE ctid = (SELECT min(ctid) FROM visits_2025 WHERE tenant_id = 't2')"
        " AND tableoid = 'visits_2025'::regclass",
    )
    approved(bench, live, made, "--replace")
    assert content(bench, live) == before
    assert others(bench, live, "t2") == untouched


def test_without_the_digest_of_now_nothing_is_changed(bench: Bench, live: str, made: str) -> None:
    bench.sql(live, "DELETE FROM bookings WHERE tenant_id = 't2' AND id % 2 = 0")
    argv = ["tenant", "--id", made, "--tenant", "t2"]
    digest = bench.run(live, *argv).event("approval")["digest"]
    bench.sql(live, "DELETE FROM bookings WHERE tenant_id = 't2'")
    before = content(bench, live)
    refused = bench.run(live, *argv, "--approve", digest, expect=2)
    assert "look again" in refused.event("refused")["reason"]
    assert content(bench, live) == before


def test_a_key_that_is_anothers_by_now_is_refused(bench: Bench, live: str, made: str) -> None:
    bench.sql(
        live,
        "UPDATE bookings SET tenant_id = 't3' WHERE id ="
        " (SELECT min(id) FROM bookings WHERE tenant_id = 't2')",
    )
    before = content(bench, live)
    refused = bench.run(live, "tenant", "--id", made, "--tenant", "t2", expect=2)
    assert "public.bookings: 1" in refused.event("refused")["reason"]
    assert content(bench, live) == before


def test_a_unique_value_that_is_taken_is_refused(bench: Bench, live: str, made: str) -> None:
    bench.sql(
        live,
        "DELETE FROM bookings WHERE tenant_id = 't2'",
        "INSERT INTO bookings (tenant_id, wa_id, guests, message_id) VALUES ('t3', '391', 2, 'm1')",
    )
    before = content(bench, live)
    argv = ["tenant", "--id", made, "--tenant", "t2"]
    digest = bench.run(live, *argv).event("approval")["digest"]
    refused = bench.run(live, *argv, "--approve", digest, expect=2)
    assert "bookings_message_id_key" in refused.event("refused")["reason"]
    assert content(bench, live) == before


def test_a_trigger_that_touches_others_is_rolled_back(bench: Bench, live: str, made: str) -> None:
    bench.sql(
        live,
        "DELETE FROM bookings WHERE tenant_id = 't2'",
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE customers SET name = 'meddled' WHERE tenant_id = 't3'; RETURN NULL; END $$",
        "CREATE TRIGGER meddle AFTER INSERT ON bookings EXECUTE FUNCTION meddle()",
    )
    before = content(bench, live)
    argv = ["tenant", "--id", made, "--tenant", "t2"]
    digest = bench.run(live, *argv).event("approval")["digest"]
    failed = bench.run(live, *argv, "--approve", digest, expect=1)
    assert "public.customers" in failed.event("failed")["reason"]
    assert content(bench, live) == before


def test_a_schema_without_its_columns_is_refused(bench: Bench, live: str, made: str) -> None:
    bench.sql(live, "ALTER TABLE bookings DROP COLUMN note")
    refused = bench.run(live, "tenant", "--id", made, "--tenant", "t2", expect=2)
    assert "public.bookings has no note" in refused.event("refused")["reason"]


def test_an_unknown_tenant_is_refused(bench: Bench, live: str, made: str) -> None:
    refused = bench.run(live, "tenant", "--id", made, "--tenant", "t999", expect=2)
    assert "'t999' is not in" in refused.event("refused")["reason"]


def test_a_sequence_behind_its_rows_is_moved_on(bench: Bench, live: str, made: str) -> None:
    bench.sql(live, "DELETE FROM bookings", "ALTER TABLE bookings ALTER COLUMN id RESTART WITH 1")
    approved(bench, live, made)
    bench.sql(
        live,
        "INSERT INTO bookings (tenant_id, wa_id, guests, message_id) VALUES ('t3', '391', 2, 'x')",
    )
    (newest,) = bench.sql(
        live, "SELECT max(id) = (SELECT id FROM bookings WHERE message_id = 'x') FROM bookings"
    )
    assert newest == (True,)
