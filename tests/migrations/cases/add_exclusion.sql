-- kind: expand
-- expect: exclusion-constraint
-- recipe: cannot be NOT VALID
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&);
COMMIT;
