-- kind: contract
BEGIN;
ALTER TABLE bookings DROP COLUMN party_size;
COMMIT;
