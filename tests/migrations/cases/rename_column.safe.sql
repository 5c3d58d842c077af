-- kind: expand
BEGIN;
ALTER TABLE bookings ADD COLUMN guests integer;
COMMIT;
