-- kind: expand
VACUUM (ANALYZE) bookings;
