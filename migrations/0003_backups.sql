-- Backups: what makes each, where it lies, what it proved; uploads that are not completed; jobs that can be cancelled.

ALTER TABLE backup_log
    -- schedule, manual, final, retry …: why it was made.
    ADD COLUMN reason     text NOT NULL DEFAULT 'manual',
    ADD COLUMN job_id     uuid REFERENCES job ON DELETE SET NULL,
    ADD COLUMN target     text,
    -- What left the container, before compression.
    ADD COLUMN raw_bytes  bigint CHECK (raw_bytes >= 0),
    -- The backup that a drill is of.
    ADD COLUMN drill_of   uuid REFERENCES backup_log,
    -- When its objects were removed from the target.
    ADD COLUMN removed_at timestamptz,
    ADD CHECK (kind IN ('backup', 'drill')),
    ADD CHECK ((kind = 'drill') = (drill_of IS NOT NULL)),
    ADD CHECK (status <> 'succeeded' OR kind = 'drill' OR (location IS NOT NULL AND bytes IS NOT NULL AND manifest IS NOT NULL));
CREATE UNIQUE INDEX backup_log_running_key ON backup_log (container_id) WHERE status = 'running' AND kind = 'backup';
CREATE UNIQUE INDEX backup_log_drill_key ON backup_log (drill_of) WHERE status = 'running' AND drill_of IS NOT NULL;
CREATE INDEX backup_log_drill_idx ON backup_log (drill_of) WHERE drill_of IS NOT NULL;
CREATE INDEX backup_log_good_idx ON backup_log (container_id, started_at DESC) WHERE status = 'succeeded' AND kind = 'backup' AND removed_at IS NULL;

-- Uploads in parts that were begun and not completed: given up by whoever goes on after a portal that died.
CREATE TABLE upload (
    backup_id uuid NOT NULL REFERENCES backup_log,
    target    text NOT NULL,
    key       text NOT NULL,
    upload    text NOT NULL,
    begun_at  timestamptz NOT NULL,
    PRIMARY KEY (backup_id, key, upload)
);

-- What a container was made from, if not from nothing.
ALTER TABLE container ADD COLUMN restored_from uuid REFERENCES backup_log;

ALTER TABLE job ADD COLUMN cancelled_by text;
-- A drill works on a copy, so it may run beside anything.
DROP INDEX job_one_per_container;
CREATE UNIQUE INDEX job_one_per_container ON job (container_id)
    WHERE container_id IS NOT NULL AND kind <> 'drill' AND status IN ('queued', 'running');

-- Looked up again, with the programs that backups need.
DELETE FROM image_tool;
