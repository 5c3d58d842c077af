-- kind: expand
-- expect: ban-alter-domain-with-add-constraint
-- recipe: VALIDATE CONSTRAINT
BEGIN;
ALTER DOMAIN phone ADD CONSTRAINT digits CHECK (VALUE ~ '^[0-9]+$');
COMMIT;
