-- kind: expand
-- expect: unbounded-delete
-- recipe: with a WHERE
BEGIN;
DELETE FROM outbox;
COMMIT;
