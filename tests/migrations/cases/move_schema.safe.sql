-- kind: expand
BEGIN;
CREATE VIEW archive.bookings AS SELECT * FROM public.bookings;
COMMIT;
