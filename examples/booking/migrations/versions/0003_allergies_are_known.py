"""customers.allergies is never unknown (contract)"""

from __future__ import annotations

from alembic import op
from booking.migration.backfill import backfill

revision = "0003"
down_revision = "0002"
lyo_kind = "contract"
# The oldest revision whose releases this schema still serves: those of 0001 write no allergies.
serves_since = "0002"


def upgrade() -> None:
    """Demand the column, without a scan that blocks writers.

    A validated CHECK proves to SET NOT NULL that nothing has to be read again.
    https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
    """
    op.execute("ALTER TABLE customers DROP CONSTRAINT IF EXISTS customers_allergies_known")
    op.execute(
        "ALTER TABLE customers ADD CONSTRAINT customers_allergies_known"
        " CHECK (allergies IS NOT NULL) NOT VALID"
    )
    backfill(op, "customers", "allergies = '{}'", "allergies IS NULL", key=("tenant_id", "wa_id"))
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE customers VALIDATE CONSTRAINT customers_allergies_known")
    op.execute("ALTER TABLE customers ALTER COLUMN allergies SET NOT NULL")
    op.execute("ALTER TABLE customers DROP CONSTRAINT IF EXISTS customers_allergies_known")
