-- kind: expand
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT small CHECK (party_size < 100) NOT VALID;
COMMIT;
