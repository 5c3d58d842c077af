-- kind: contract
-- expect: drop-cascade
-- recipe: by name first
BEGIN;
DROP TABLE tenants CASCADE;
COMMIT;
