-- kind: expand
VACUUM bookings;
