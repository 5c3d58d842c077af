-- kind: expand
-- expect: disallowed-unique-constraint
-- recipe: UNIQUE USING INDEX
BEGIN;
ALTER TABLE tenants ADD CONSTRAINT one_name UNIQUE (name);
COMMIT;
