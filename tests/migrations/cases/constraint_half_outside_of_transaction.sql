-- kind: contract
-- expect: not-rerunnable
-- recipe: interrupted migration is repeated
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT small CHECK (party_size < 100) NOT VALID;
COMMIT;
ALTER TABLE bookings VALIDATE CONSTRAINT small;
