-- kind: expand
-- expect: triggers-off
-- recipe: leave triggers on
BEGIN;
ALTER TABLE bookings DISABLE TRIGGER ALL;
COMMIT;
