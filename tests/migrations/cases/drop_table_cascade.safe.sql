-- kind: contract
BEGIN;
DROP TABLE outbox, inbox;
COMMIT;
