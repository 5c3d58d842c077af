-- kind: contract
BEGIN;
DROP TRIGGER keep_same ON bookings;
COMMIT;
