-- kind: expand
-- expect: refresh-view
-- recipe: CONCURRENTLY
BEGIN;
REFRESH MATERIALIZED VIEW bookings_per_day;
COMMIT;
