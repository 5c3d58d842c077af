-- kind: expand
BEGIN;
-- lyo: allow partition-attach: inbox_2026_bounds shows it, validated in 0011
ALTER TABLE inbox ATTACH PARTITION inbox_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
COMMIT;
