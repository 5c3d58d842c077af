-- kind: expand
-- expect: adding-field-with-default
-- recipe: ALTER COLUMN … SET DEFAULT
BEGIN;
ALTER TABLE bookings ADD COLUMN token uuid DEFAULT gen_random_uuid();
COMMIT;
