-- kind: expand
-- expect: set-timeout
-- recipe: lyo_migration_timeouts
BEGIN;
SET LOCAL lock_timeout = 0;
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
