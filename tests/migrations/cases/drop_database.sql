-- kind: contract
-- expect: ban-drop-database
-- recipe: destroy.yml
DROP DATABASE lyo;
