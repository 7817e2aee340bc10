-- Whether a backup has sums over its content, so that a drill can compare that. Not all have: they take as long as the dump.
-- Beside the manifest, which is too long to be read for a list.
ALTER TABLE backup_log ADD COLUMN fingerprints boolean NOT NULL DEFAULT true;
