-- kind: expand
-- expect: drop-object
-- recipe: stop using it
BEGIN;
DROP TRIGGER keep_same ON bookings;
COMMIT;
