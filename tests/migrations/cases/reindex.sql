-- kind: expand
-- expect: require-concurrent-reindex
-- recipe: REINDEX INDEX CONCURRENTLY
REINDEX TABLE bookings;
