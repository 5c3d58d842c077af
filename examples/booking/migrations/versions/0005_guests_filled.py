"""bookings.guests filled and checked, and an index by day (expand)"""

from __future__ import annotations

from alembic import op
from booking.migration.backfill import backfill

revision = "0005"
down_revision = "0004"
lyo_kind = "expand"


def upgrade() -> None:
    """Fill the old rows in batches, then have the constraint read them; neither blocks a writer."""
    backfill(op, "bookings", "guests = party_size", "guests IS NULL")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT bookings_guests")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS bookings_by_start")
        op.execute(
            "CREATE INDEX CONCURRENTLY bookings_by_start ON bookings (tenant_id, starts_at)"
            " WHERE cancelled_at IS NULL"
        )
