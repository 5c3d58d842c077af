-- kind: expand
-- expect: opaque-block
-- recipe: write the statements out
BEGIN;
DO $$ BEGIN EXECUTE 'DROP TABLE bookings'; END $$;
COMMIT;
