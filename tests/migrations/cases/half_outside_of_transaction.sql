-- kind: expand
-- expect: not-rerunnable
-- recipe: migration of its own
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
DROP INDEX CONCURRENTLY IF EXISTS bookings_by_guests;
CREATE INDEX CONCURRENTLY bookings_by_guests ON bookings (guests);
