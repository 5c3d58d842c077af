-- kind: contract
-- expect: truncate
-- recipe: drops the table
BEGIN;
TRUNCATE outbox;
COMMIT;
