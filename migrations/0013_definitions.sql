-- How what a drill restored differs from the backup: sentences. Absent where nothing was compared.
ALTER TABLE backup_log ADD COLUMN differences jsonb;
