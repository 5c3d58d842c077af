-- kind: expand
BEGIN;
ALTER TABLE customers ADD COLUMN IF NOT EXISTS nickname text;
COMMIT;
DROP INDEX CONCURRENTLY IF EXISTS bookings_by_start;
CREATE INDEX CONCURRENTLY bookings_by_start ON bookings (starts_at);
BEGIN;
COMMIT;
