-- kind: expand
-- expect: ban-uncommitted-transaction
-- recipe: COMMIT
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint;
