-- kind: expand
-- expect: changing-column-type
-- recipe: new column beside it
BEGIN;
ALTER TABLE bookings ALTER COLUMN party_size TYPE bigint;
COMMIT;
