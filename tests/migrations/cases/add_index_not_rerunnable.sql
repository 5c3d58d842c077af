-- kind: expand
-- expect: index-not-rerunnable
-- recipe: DROP INDEX CONCURRENTLY IF EXISTS
CREATE INDEX CONCURRENTLY IF NOT EXISTS bookings_by_start ON bookings (starts_at);
