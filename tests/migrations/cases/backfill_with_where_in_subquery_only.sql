-- kind: expand
-- expect: unbounded-update
-- recipe: in batches
BEGIN;
UPDATE customers SET last_booking = (SELECT max(starts_at) FROM bookings b WHERE b.wa_id = customers.wa_id);
COMMIT;
