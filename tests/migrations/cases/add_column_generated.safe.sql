-- kind: expand
BEGIN;
ALTER TABLE bookings ADD COLUMN day date;
COMMIT;
