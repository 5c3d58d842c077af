"""tenants, customers, bookings, inbox and outbox"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
lyo_kind = "expand"

TABLES = """
CREATE TABLE tenants (
    id text PRIMARY KEY,
    name text NOT NULL,
    phone_number_id text NOT NULL UNIQUE,
    timezone text NOT NULL DEFAULT 'Europe/Rome',
    max_party_size integer NOT NULL DEFAULT 12 CHECK (max_party_size > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE customers (
    tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    wa_id text NOT NULL,
    name text,
    party_size integer,
    last_booking timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, wa_id)
);
CREATE TABLE bookings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL,
    wa_id text NOT NULL,
    party_size integer NOT NULL CHECK (party_size > 0),
    starts_at timestamptz NOT NULL,
    source_message_id text NOT NULL UNIQUE,
    cancelled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, wa_id) REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX bookings_of_customer ON bookings (tenant_id, wa_id, starts_at);
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL UNIQUE,
    phone_number_id text NOT NULL,
    wa_id text NOT NULL,
    kind text NOT NULL,
    body text,
    tenant_id text REFERENCES tenants ON DELETE CASCADE,
    received_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    processed_at timestamptz,
    failed_at timestamptz
);
CREATE INDEX inbox_open ON inbox (id)
    WHERE tenant_id IS NOT NULL AND processed_at IS NULL AND failed_at IS NULL;
CREATE INDEX inbox_open_of_customer ON inbox (tenant_id, wa_id, id)
    WHERE processed_at IS NULL AND failed_at IS NULL;
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL UNIQUE,
    tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    wa_id text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX outbox_of_customer ON outbox (tenant_id, wa_id, id);
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
"""


def upgrade() -> None:
    """Create the tables; which tenants there are is not the schema's business."""
    for statement in TABLES.strip().split(";\n"):
        op.execute(statement.rstrip(";"))
