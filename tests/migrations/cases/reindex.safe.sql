-- kind: expand
REINDEX TABLE CONCURRENTLY bookings;
