-- kind: contract
BEGIN;
CREATE VIEW reservations AS SELECT * FROM bookings;
COMMIT;
