-- kind: expand
BEGIN;
ALTER TABLE bookings VALIDATE CONSTRAINT small;
COMMIT;
