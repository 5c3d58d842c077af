-- kind: expand
-- expect: ban-drop-schema
-- recipe: stop using it
BEGIN;
DROP SCHEMA reports;
COMMIT;
