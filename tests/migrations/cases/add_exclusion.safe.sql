-- kind: expand
BEGIN;
CREATE TABLE seatings (during tstzrange NOT NULL, EXCLUDE USING gist (during WITH &&));
COMMIT;
