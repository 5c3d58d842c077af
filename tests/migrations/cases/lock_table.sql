-- kind: expand
-- expect: lock-table
-- recipe: leave it out
BEGIN;
LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE;
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
