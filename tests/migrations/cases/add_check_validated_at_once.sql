-- kind: expand
-- expect: validate-at-once
-- recipe: later migration
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT small CHECK (party_size < 100) NOT VALID;
ALTER TABLE bookings VALIDATE CONSTRAINT small;
COMMIT;
