-- kind: contract
BEGIN;
ALTER TABLE customers DROP COLUMN party_size;
COMMIT;
