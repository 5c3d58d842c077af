-- kind: contract
-- expect: require-concurrent-index-deletion
-- recipe: DROP INDEX CONCURRENTLY
BEGIN;
DROP INDEX bookings_of_customer;
COMMIT;
