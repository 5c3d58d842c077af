-- kind: expand
BEGIN;
ALTER TABLE bookings ENABLE TRIGGER keep_same;
COMMIT;
