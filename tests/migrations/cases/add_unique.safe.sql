-- kind: expand
DROP INDEX CONCURRENTLY IF EXISTS one_name;
CREATE UNIQUE INDEX CONCURRENTLY one_name ON tenants (name);
