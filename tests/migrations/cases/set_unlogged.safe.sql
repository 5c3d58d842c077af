-- kind: expand
BEGIN;
CREATE UNLOGGED TABLE scratch (id bigint PRIMARY KEY);
COMMIT;
