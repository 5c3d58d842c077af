-- kind: contract
BEGIN;
DROP SCHEMA reports;
COMMIT;
