-- kind: contract
-- expect: ban-truncate-cascade
-- recipe: nobody named
BEGIN;
TRUNCATE tenants CASCADE;
COMMIT;
