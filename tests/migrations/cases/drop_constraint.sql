-- kind: expand
-- expect: ban-drop-constraint
-- recipe: rely on what it guarantees
BEGIN;
ALTER TABLE bookings DROP CONSTRAINT bookings_party_size_check;
COMMIT;
