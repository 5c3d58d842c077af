-- kind: expand
-- expect: cluster
-- recipe: pg_repack
CLUSTER bookings USING bookings_of_customer;
