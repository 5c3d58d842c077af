-- kind: expand
-- expect: ban-create-domain-with-constraint
-- recipe: CHECK constraint of the table
BEGIN;
CREATE DOMAIN phone AS text CHECK (VALUE ~ '^[0-9]+$');
COMMIT;
