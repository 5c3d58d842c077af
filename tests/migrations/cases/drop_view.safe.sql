-- kind: contract
BEGIN;
DROP VIEW open_bookings;
COMMIT;
