-- How much of a directory's blocks other directories share, on storage where copies share blocks. NULL: not measured.
ALTER TABLE container ADD COLUMN shared_bytes bigint;
ALTER TABLE snapshot ADD COLUMN shared_bytes bigint;
-- How much of the size of a tier's databases and snapshots is counted once although several share it.
ALTER TABLE tier_usage ADD COLUMN shared_bytes bigint NOT NULL DEFAULT 0;
