-- kind: expand
-- expect: ban-drop-column
-- recipe: lyo_kind = "contract"
BEGIN;
ALTER TABLE customers DROP COLUMN party_size;
COMMIT;
