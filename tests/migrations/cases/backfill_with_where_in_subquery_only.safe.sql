-- kind: expand
-- lyo: in batches of 5000 rows by id
UPDATE customers SET last_booking = (SELECT max(starts_at) FROM bookings b WHERE b.wa_id = customers.wa_id) WHERE id > $1 AND id <= $2;
