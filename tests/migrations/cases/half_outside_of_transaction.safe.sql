-- kind: expand
BEGIN;
ALTER TABLE bookings ADD COLUMN IF NOT EXISTS guests bigint;
COMMIT;
DROP INDEX CONCURRENTLY IF EXISTS bookings_by_guests;
CREATE INDEX CONCURRENTLY bookings_by_guests ON bookings (guests);
