-- Notices about templates, for administrators.
ALTER TABLE notice ALTER COLUMN container_id DROP NOT NULL;
ALTER TABLE notice ADD COLUMN template_id uuid REFERENCES template;
ALTER TABLE notice ADD CHECK (num_nonnulls(container_id, template_id) = 1);
DROP INDEX notice_open_key;
CREATE UNIQUE INDEX notice_open_key ON notice (coalesce(container_id, template_id), kind) WHERE ended_at IS NULL;

-- Templates that are made from a database as it is at each import, or from one of its snapshots.
ALTER TABLE template ADD COLUMN source_container uuid REFERENCES container;
ALTER TABLE template ADD COLUMN source_snapshot uuid REFERENCES snapshot;
-- The snapshot that a version is copied from.
ALTER TABLE template_version ADD COLUMN snapshot_id uuid REFERENCES snapshot;
CREATE INDEX template_version_snapshot_idx ON template_version (snapshot_id) WHERE snapshot_id IS NOT NULL;
