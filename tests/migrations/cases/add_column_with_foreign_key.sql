-- kind: expand
-- expect: adding-foreign-key-constraint
-- recipe: NOT VALID
BEGIN;
ALTER TABLE bookings ADD COLUMN booked_by bigint REFERENCES inbox (id);
COMMIT;
