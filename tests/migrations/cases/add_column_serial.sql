-- kind: expand
-- expect: serial-column
-- recipe: trigger keeps both the same
BEGIN;
ALTER TABLE customers ADD COLUMN number bigserial;
COMMIT;
