-- kind: expand
BEGIN;
ALTER TABLE bookings ADD COLUMN booked_by bigint;
ALTER TABLE bookings ADD CONSTRAINT by_message FOREIGN KEY (booked_by) REFERENCES inbox (id) NOT VALID;
COMMIT;
