-- kind: contract
BEGIN;
DROP TABLE outbox;
COMMIT;
