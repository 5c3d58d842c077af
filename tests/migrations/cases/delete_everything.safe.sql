-- kind: expand
-- lyo: in batches of 5000 rows by id
DELETE FROM outbox WHERE sent_at < now() - interval '1 year' AND id > $1 AND id <= $2;
