-- kind: expand
BEGIN;
SET LOCAL work_mem = '64MB';
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
