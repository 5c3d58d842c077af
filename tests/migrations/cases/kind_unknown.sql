-- kind: 
-- expect: unknown-kind
-- recipe: lyo_kind
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
