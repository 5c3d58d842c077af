-- kind: contract
DROP INDEX CONCURRENTLY IF EXISTS bookings_of_customer;
