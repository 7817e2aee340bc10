-- Notes of deletions are signed: those that were written before are written once more.
UPDATE container SET marked_at = NULL WHERE marked_at IS NOT NULL AND (trashed_at IS NOT NULL OR purged_at IS NOT NULL);

-- When the target of a backup was retired (`db4sci target forget`): the portal does not look for it there any more.
ALTER TABLE backup_log ADD COLUMN retired_at timestamptz CHECK (retired_at IS NULL OR removed_at IS NOT NULL);
