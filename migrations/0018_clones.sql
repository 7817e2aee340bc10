-- Snapshots that users take, clones, and jobs that wait for another job.

-- Besides data set aside for undo, table "snapshot" now has copies that were taken at a moment: for a user ('user'), or as the
-- origin of a clone ('clone'). Those are kept until a date or until they are deleted, and as long as a clone refers to them.
ALTER TABLE snapshot DROP CONSTRAINT snapshot_reason_check;
ALTER TABLE snapshot ADD CHECK (reason IN ('restore', 'upgrade', 'undo', 'user', 'clone'));
ALTER TABLE snapshot DROP CONSTRAINT snapshot_check;
ALTER TABLE snapshot ADD CHECK (reason IN ('user', 'clone') OR (made_at IS NULL) = (expires_at IS NULL));
ALTER TABLE snapshot ADD COLUMN note text NOT NULL DEFAULT '';
-- When the data was copied, for how many milliseconds the server was paused for that, and how many bytes were copied.
ALTER TABLE snapshot ADD COLUMN frozen_at timestamptz;
ALTER TABLE snapshot ADD COLUMN frozen_ms bigint;
ALTER TABLE snapshot ADD COLUMN bytes bigint;
-- The encrypted password of the administrator in the copy.
ALTER TABLE snapshot ADD COLUMN sealed bytea;
-- The snapshot that new data is copied from.
ALTER TABLE snapshot ADD COLUMN source uuid REFERENCES snapshot;
CREATE INDEX snapshot_source_idx ON snapshot (source) WHERE source IS NOT NULL;

-- The database that a clone was made from, the moment its data is of, and the snapshot that it can be reset to.
ALTER TABLE container ADD COLUMN cloned_from uuid REFERENCES container;
ALTER TABLE container ADD COLUMN cloned_at timestamptz;
ALTER TABLE container ADD COLUMN origin uuid REFERENCES snapshot;
CREATE INDEX container_origin_idx ON container (origin) WHERE origin IS NOT NULL;
CREATE INDEX container_cloned_from_idx ON container (cloned_from) WHERE cloned_from IS NOT NULL;

-- The password of a clone's owner is kept as long as it is a clone: a reset replaces the accounts with those of its source.
ALTER TABLE credential DROP CONSTRAINT credential_kind_check;
ALTER TABLE credential ADD CHECK (kind IN ('admin', 'user', 'seed', 'clone'));

-- A job that starts only when another has ended.
ALTER TABLE job ADD COLUMN after_job uuid REFERENCES job ON DELETE SET NULL;
CREATE INDEX job_after_idx ON job (after_job) WHERE after_job IS NOT NULL;
