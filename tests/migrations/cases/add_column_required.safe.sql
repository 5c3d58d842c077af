-- kind: expand
BEGIN;
ALTER TABLE customers ADD COLUMN language text NOT NULL DEFAULT 'it';
COMMIT;
