-- kind: expand
REFRESH MATERIALIZED VIEW CONCURRENTLY bookings_per_day;
