-- Time to live: when the end of a database was set, because the warnings depend on how long it was to live, and when its
-- owner was last warned.
ALTER TABLE container ADD COLUMN expiry_set_at timestamptz, ADD COLUMN expiry_warned_at timestamptz;
CREATE INDEX container_expiry_idx ON container (expires_at) WHERE expires_at IS NOT NULL AND purged_at IS NULL;

ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CHECK (kind IN ('drill_failed', 'backup_failed', 'backup_missed', 'restore_differs', 'expires_soon'));
