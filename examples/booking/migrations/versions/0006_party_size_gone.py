"""bookings.party_size gone: guests has taken its place (contract)"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
lyo_kind = "contract"
# Releases before v4 know party_size alone.
serves_since = "0005"


def upgrade() -> None:
    """End the change of type: the validated CHECK goes on to demand guests."""
    op.execute("DROP TRIGGER bookings_same_guests ON bookings")
    op.execute("DROP FUNCTION bookings_same_guests()")
    op.execute("ALTER TABLE bookings DROP COLUMN party_size")
