-- kind: expand
-- expect: adding-not-nullable-field
-- recipe: SET NOT NULL, then DROP CONSTRAINT
BEGIN;
ALTER TABLE customers ALTER COLUMN name SET NOT NULL;
COMMIT;
