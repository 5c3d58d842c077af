-- kind: expand
BEGIN;
-- lyo: allow ban-drop-not-null: release v3 no longer reads it, and it is the oldest one left
ALTER TABLE bookings ALTER COLUMN starts_at DROP NOT NULL;
COMMIT;
