-- kind: expand
-- expect: constraint-missing-not-valid
-- recipe: NOT VALID
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT small CHECK (party_size < 100);
COMMIT;
