-- kind: expand
-- expect: serial-column
-- recipe: add a new column beside it
BEGIN;
ALTER TABLE customers ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
COMMIT;
