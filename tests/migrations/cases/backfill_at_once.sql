-- kind: expand
-- expect: unbounded-update
-- recipe: in batches
BEGIN;
UPDATE customers SET name = initcap(name);
COMMIT;
