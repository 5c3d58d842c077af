-- kind: expand
-- expect: adding-serial-primary-key-field
-- recipe: PRIMARY KEY USING INDEX
BEGIN;
ALTER TABLE visits ADD PRIMARY KEY (id);
COMMIT;
