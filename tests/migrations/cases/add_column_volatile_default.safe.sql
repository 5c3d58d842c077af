-- kind: expand
BEGIN;
ALTER TABLE bookings ADD COLUMN token uuid;
ALTER TABLE bookings ALTER COLUMN token SET DEFAULT gen_random_uuid();
COMMIT;
