-- kind: expand
-- expect: partition-attach
-- recipe: the bounds
BEGIN;
ALTER TABLE inbox ATTACH PARTITION inbox_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
COMMIT;
