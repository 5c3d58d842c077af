"""fails on purpose, for tests of a failing migration"""

from __future__ import annotations

from alembic import op

revision = "0003_broken"
down_revision = "0002"
lyo_kind = "expand"


def upgrade() -> None:
    """Create a table, then stumble: the transaction takes the table back."""
    op.execute("CREATE TABLE loyalty (customer text PRIMARY KEY)")
    op.execute("CREATE INDEX loyalty_points ON loyalty (points)")
