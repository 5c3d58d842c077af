-- kind: expand
-- expect: adding-required-field
-- recipe: constant default
BEGIN;
ALTER TABLE customers ADD COLUMN language text NOT NULL;
COMMIT;
