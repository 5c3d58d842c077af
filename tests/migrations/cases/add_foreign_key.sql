-- kind: expand
-- expect: adding-foreign-key-constraint
-- recipe: VALIDATE CONSTRAINT
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT of_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id);
COMMIT;
