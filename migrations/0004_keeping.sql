-- Keeping and forgetting backups: locks, removals under way, audits, and lists that are as fast with many rows as with few.

ALTER TABLE backup_log
    -- Not removed before this, whatever the policy says.
    ADD COLUMN locked_until timestamptz,
    -- Its removal has begun: from here on it is no backup any more, and nothing may begin to read it.
    ADD COLUMN removing_at  timestamptz,
    ADD CHECK (removing_at IS NULL OR (status = 'succeeded' AND kind = 'backup')),
    ADD CHECK (removed_at IS NULL OR removing_at IS NOT NULL);
CREATE INDEX backup_log_removing_idx ON backup_log (removing_at) WHERE removing_at IS NOT NULL AND removed_at IS NULL;

-- The list of all backups, whole and by what they are.
CREATE INDEX backup_log_list_idx ON backup_log (started_at DESC, id DESC) WHERE kind = 'backup';
CREATE INDEX backup_log_status_idx ON backup_log (status, started_at DESC, id DESC) WHERE kind = 'backup' AND removing_at IS NULL;
CREATE INDEX backup_log_gone_idx ON backup_log (started_at DESC, id DESC) WHERE kind = 'backup' AND removing_at IS NOT NULL;
-- Whether a restore reads a backup.
CREATE INDEX container_restored_from_idx ON container (restored_from) WHERE restored_from IS NOT NULL;
-- What a person's purged databases left.
CREATE INDEX container_purged_owner_idx ON container (account_id, purged_at DESC) WHERE purged_at IS NOT NULL;

-- Work of the portal as a whole, of which one of a kind is enough.
CREATE UNIQUE INDEX job_one_of_portal ON job (kind) WHERE container_id IS NULL AND status IN ('queued', 'running');

-- What audits of the backups found; the newest is what pages and metrics show.
CREATE TABLE backup_audit (
    id     uuid PRIMARY KEY,
    at     timestamptz NOT NULL,
    -- How many findings of each kind.
    counts jsonb NOT NULL,
    report jsonb NOT NULL
);
CREATE INDEX backup_audit_at_idx ON backup_audit (at DESC);
