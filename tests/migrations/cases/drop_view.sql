-- kind: expand
-- expect: drop-object
-- recipe: stop using it
BEGIN;
DROP VIEW open_bookings;
COMMIT;
