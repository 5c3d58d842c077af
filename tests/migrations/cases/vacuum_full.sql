-- kind: expand
-- expect: vacuum-full
-- recipe: pg_repack
VACUUM (FULL, ANALYZE) bookings;
