-- kind: expand
ALTER TYPE channel ADD VALUE IF NOT EXISTS 'telegram';
