"""bookings.guests beside party_size, kept the same (expand)"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
lyo_kind = "expand"

# An UPDATE that changes neither, as the backfill's does, takes what the old column has.
SAME = """
CREATE FUNCTION bookings_same_guests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.guests := coalesce(NEW.guests, NEW.party_size);
        NEW.party_size := coalesce(NEW.party_size, NEW.guests);
    ELSIF NEW.guests IS DISTINCT FROM OLD.guests THEN
        NEW.party_size := coalesce(NEW.guests, NEW.party_size);
    ELSE
        NEW.guests := NEW.party_size;
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Begin to change a type: the new column, and a trigger for releases that know only one of the two.

    The constraint holds for new rows at once; the old ones are read by 0005.
    """
    op.execute("ALTER TABLE bookings ADD COLUMN guests smallint")
    op.execute(SAME.strip())
    op.execute(
        "CREATE TRIGGER bookings_same_guests BEFORE INSERT OR UPDATE ON bookings"
        " FOR EACH ROW EXECUTE FUNCTION bookings_same_guests()"
    )
    op.execute(
        "ALTER TABLE bookings ADD CONSTRAINT bookings_guests"
        " CHECK (guests IS NOT NULL AND guests > 0) NOT VALID"
    )
