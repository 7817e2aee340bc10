-- Definitions are compared after a restore.

ALTER TABLE backup_log
    -- How what a drill restored differs from the backup: sentences. Absent where nothing was compared.
    ADD COLUMN differences jsonb,
    -- How many definitions the manifest of a backup has. Absent: it has none, as those of older portals.
    ADD COLUMN definitions integer CHECK (definitions > 0);

-- A database was restored, but something that is defined in it is not as in its backup.
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CHECK (kind IN ('drill_failed', 'backup_failed', 'backup_missed', 'restore_differs'));
