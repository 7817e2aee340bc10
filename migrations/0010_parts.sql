-- Whether a backup has sums over its content, so that a drill can compare that. Not all have: they take as long as the dump.
-- Beside the manifest, which is too long to be read for a list.
ALTER TABLE backup_log ADD COLUMN fingerprints boolean NOT NULL DEFAULT true;

-- What of the backup a container was made from is wanted, if not all: {"database": …, "table": …}.
ALTER TABLE container
    ADD COLUMN restored_only jsonb,
    ADD CHECK (restored_only IS NULL OR restored_from IS NOT NULL);
