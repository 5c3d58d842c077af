-- kind: expand
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
