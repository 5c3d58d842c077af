-- kind: expand
-- expect: renaming-object
-- recipe: do not rename
BEGIN;
ALTER TABLE bookings SET SCHEMA archive;
COMMIT;
