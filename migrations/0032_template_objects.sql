-- Templates that are made from a backup, or from a dump in a backup target.
ALTER TABLE template ADD COLUMN source_backup uuid REFERENCES backup_log;
ALTER TABLE template ADD COLUMN source_target text;
ALTER TABLE template ADD COLUMN source_key text;
ALTER TABLE template ADD CHECK ((source_target IS NULL) = (source_key IS NULL));
ALTER TABLE template ADD CHECK (num_nonnulls(source_container, source_backup, source_key) <= 1);
CREATE INDEX template_source_backup_idx ON template (source_backup) WHERE source_backup IS NOT NULL;
