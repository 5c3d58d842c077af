-- kind: expand
-- expect: transaction-nesting
-- recipe: leave BEGIN and COMMIT out
BEGIN;
BEGIN;
ALTER TABLE bookings ADD COLUMN guests bigint;
COMMIT;
COMMIT;
