-- kind: expand
-- expect: syntax-error
-- recipe: correct the statement
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint NOT;
COMMIT;
