-- kind: contract
-- expect: require-concurrent-partition-detach
-- recipe: CONCURRENTLY
BEGIN;
ALTER TABLE inbox DETACH PARTITION inbox_2020;
COMMIT;
