-- kind: expand
DROP INDEX CONCURRENTLY IF EXISTS bookings_by_start;
CREATE INDEX CONCURRENTLY bookings_by_start ON bookings (starts_at);
