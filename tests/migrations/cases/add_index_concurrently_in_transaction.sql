-- kind: expand
-- expect: ban-concurrent-index-creation-in-transaction
-- recipe: autocommit_block
BEGIN;
DROP INDEX CONCURRENTLY IF EXISTS bookings_by_start;
CREATE INDEX CONCURRENTLY bookings_by_start ON bookings (starts_at);
COMMIT;
