-- kind: expand
-- expect: renaming-column
-- recipe: do not rename
BEGIN;
ALTER TABLE bookings RENAME COLUMN party_size TO guests;
COMMIT;
