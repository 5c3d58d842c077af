-- kind: expand
-- expect: adding-field-with-default
-- recipe: backfill in batches
BEGIN;
ALTER TABLE bookings ADD COLUMN day date GENERATED ALWAYS AS (starts_at::date) STORED;
COMMIT;
