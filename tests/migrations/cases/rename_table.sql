-- kind: contract
-- expect: renaming-table
-- recipe: do not rename
BEGIN;
ALTER TABLE bookings RENAME TO reservations;
COMMIT;
