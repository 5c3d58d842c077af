"""A database with everything that backups have been known to lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.backup.harness import Bench

TENANTS, CUSTOMERS, BOOKINGS = 5, 40, 6000
SCHEMA = """
CREATE TYPE mood AS ENUM ('calm', 'hungry');
CREATE TABLE alembic_version (version_num text PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0005');
CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE customers (
    tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE, wa_id text NOT NULL,
    name text, mood mood, tags text[], extra json, PRIMARY KEY (tenant_id, wa_id)
);
CREATE TABLE bookings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text NOT NULL, wa_id text NOT NULL,
    guests integer NOT NULL CHECK (guests > 0), note text, message_id text NOT NULL UNIQUE,
    double integer GENERATED ALWAYS AS (guests * 2) STORED,
    FOREIGN KEY (tenant_id, wa_id) REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX bookings_of ON bookings (tenant_id, wa_id);
CREATE TABLE inbox (id bigserial PRIMARY KEY, tenant_id text REFERENCES tenants, body text);
CREATE TABLE "Odd ""name"" %, $1" (a integer, b numeric);
CREATE TABLE visits (at date NOT NULL, tenant_id text NOT NULL REFERENCES tenants) PARTITION BY RANGE (at);
CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE SCHEMA archive;
CREATE TABLE archive.bookings (id bigint, what text);
CREATE VIEW guests_of AS SELECT tenant_id, sum(guests) AS guests FROM bookings GROUP BY 1;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM bookings;
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION shout();
CREATE SEQUENCE spare START 500;
CREATE DOMAIN always AS text NOT NULL;
CREATE TABLE strict (id bigint, word always, gone integer);
ALTER TABLE strict DROP COLUMN gone;
"""
ROWS = (
    f"INSERT INTO tenants SELECT 't' || n, 'ristorante ' || n FROM generate_series(1, {TENANTS}) n",
    (
        "INSERT INTO customers SELECT 't' || t, '39' || c, 'Ospite ' || c, 'hungry', ARRAY['a', E'b\\tc\\n'],"
        f" '{{\"x\": 1}}' FROM generate_series(1, {TENANTS}) t, generate_series(1, {CUSTOMERS}) c"
    ),
    (
        "INSERT INTO bookings (tenant_id, wa_id, guests, note, message_id)"
        f" SELECT 't' || (1 + n % {TENANTS}), '39' || (1 + n / {TENANTS} % {CUSTOMERS}), 1 + n % 8,"
        " CASE WHEN n % 3 = 0 THEN E'zwei\\nZeilen \\\\ è ' || n END, 'm' || n"
        f" FROM generate_series(1, {BOOKINGS}) n"
    ),
    "INSERT INTO inbox (tenant_id, body) VALUES ('t1', 'ciao'), (NULL, 'di nessuno')",
    'INSERT INTO "Odd ""name"" %, $1" VALUES (1, \'NaN\'), (NULL, 1e-20)',
    "INSERT INTO visits SELECT date '2025-12-01' + n, 't' || (1 + n % 3) FROM generate_series(0, 59) n",
    "INSERT INTO archive.bookings VALUES (1, 'old')",
    "INSERT INTO strict VALUES (1, 'word')",
    "SELECT lo_from_bytea(0, 'an object')",
    "SELECT nextval('spare')",
    "REFRESH MATERIALIZED VIEW counted",
)


def fill(bench: Bench, database: str) -> None:
    """Make it."""
    bench.sql(database, SCHEMA, *ROWS)
