-- kind: expand
-- expect: ban-drop-not-null
-- recipe: may not expect NULL
BEGIN;
ALTER TABLE bookings ALTER COLUMN starts_at DROP NOT NULL;
COMMIT;
