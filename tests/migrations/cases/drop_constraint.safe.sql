-- kind: contract
BEGIN;
ALTER TABLE bookings DROP CONSTRAINT bookings_party_size_check;
COMMIT;
