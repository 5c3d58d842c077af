"""customers.allergies and the index that finds them (expand)"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
lyo_kind = "expand"


def upgrade() -> None:
    """Add a nullable column, which rewrites nothing, and an index that blocks no writer.

    An index built concurrently cannot be part of a transaction. If the build is interrupted the
    invalid index stays; running the migration again removes it first.
    """
    op.execute("ALTER TABLE customers ADD COLUMN IF NOT EXISTS allergies text[]")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS customers_with_allergies")
        op.execute(
            "CREATE INDEX CONCURRENTLY customers_with_allergies ON customers (tenant_id)"
            " WHERE allergies IS NOT NULL"
        )
