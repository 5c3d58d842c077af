-- kind: expand
BEGIN;
ALTER TABLE visits ADD CONSTRAINT visits_pkey PRIMARY KEY USING INDEX visits_id;
COMMIT;
