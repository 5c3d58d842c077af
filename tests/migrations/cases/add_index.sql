-- kind: expand
-- expect: require-concurrent-index-creation
-- recipe: CREATE INDEX CONCURRENTLY
BEGIN;
CREATE INDEX bookings_by_start ON bookings (starts_at);
COMMIT;
