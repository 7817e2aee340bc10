-- Backups that are encrypted: whose keys open each. Taken from the manifest, which says it to everybody.
ALTER TABLE backup_log
    ADD COLUMN recipients jsonb GENERATED ALWAYS AS (manifest #> '{encryption,recipients}') STORED;
