-- kind: expand
-- lyo: in batches of 5000 rows by id
UPDATE bookings SET guests = party_size WHERE guests IS NULL AND id > $1 AND id <= $2;
