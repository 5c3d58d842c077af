-- kind: expand
BEGIN;
ALTER TABLE customers ADD CONSTRAINT digits CHECK (wa_id ~ '^[0-9]+$') NOT VALID;
COMMIT;
