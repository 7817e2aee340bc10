-- SHA-256 of RESTORE.txt as it was written beside a backup, and beside a copy of it. The file is a script that people run,
-- so the audit compares it. NULL: written by an earlier version.
ALTER TABLE backup_log ADD COLUMN script_sha256 bytea;
ALTER TABLE backup_copy ADD COLUMN script_sha256 bytea;
