-- kind: expand
-- lyo: in batches of 5000 rows by id
UPDATE customers SET name = initcap(name) WHERE id > $1 AND id <= $2;
