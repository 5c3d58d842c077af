-- kind: expand
-- expect: renaming-object
-- recipe: old name
BEGIN;
ALTER TYPE channel RENAME TO medium;
COMMIT;
