-- kind: expand
-- expect: mixed-change
-- recipe: one migration changes the schema
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint;
UPDATE bookings SET guests = party_size WHERE guests IS NULL;
COMMIT;
