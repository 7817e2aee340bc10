-- SHA-256 of RESTORE.txt as it was written beside a backup, and beside a copy of it. The file is a script that people run,
-- so the audit compares it. NULL: not recorded, because an earlier version wrote the file, or the portal ended meanwhile.
ALTER TABLE backup_log ADD COLUMN script_sha256 bytea;
ALTER TABLE backup_copy ADD COLUMN script_sha256 bytea;
