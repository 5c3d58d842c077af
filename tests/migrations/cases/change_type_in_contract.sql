-- kind: contract
-- expect: changing-column-type
-- recipe: both the same
BEGIN;
ALTER TABLE bookings ALTER COLUMN party_size TYPE smallint;
COMMIT;
