-- kind: expand
-- expect: json-column
-- recipe: jsonb
BEGIN;
ALTER TABLE customers ADD COLUMN preferences json;
COMMIT;
