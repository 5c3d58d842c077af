-- kind: expand
-- expect: ban-drop-table
-- recipe: a release later
BEGIN;
DROP TABLE outbox;
COMMIT;
