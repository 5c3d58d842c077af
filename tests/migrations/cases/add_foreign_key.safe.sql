-- kind: expand
BEGIN;
ALTER TABLE bookings ADD CONSTRAINT of_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id) NOT VALID;
COMMIT;
