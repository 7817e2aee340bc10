-- Own times for backups, copies of backups in other targets, and what people are told when something went wrong.

-- Since when the policy is in force; absent: since the container was made. What was due before is not missed.
ALTER TABLE container ADD COLUMN policy_at timestamptz;

-- A copy of a backup in another target, at the same place there.
CREATE TABLE backup_copy (
    backup_id  uuid NOT NULL REFERENCES backup_log,
    target     text NOT NULL,
    status     text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'stored', 'failed')),
    -- The job that makes it.
    job_id     uuid REFERENCES job ON DELETE SET NULL,
    asked_at   timestamptz NOT NULL,
    begun_at   timestamptz,
    stored_at  timestamptz,
    tries      integer NOT NULL DEFAULT 0,
    -- Not tried before.
    next_at    timestamptz NOT NULL,
    error      text,
    removed_at timestamptz,
    PRIMARY KEY (backup_id, target),
    CHECK ((status = 'stored') = (stored_at IS NOT NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL)),
    CHECK (status <> 'running' OR begun_at IS NOT NULL)
);
CREATE INDEX backup_copy_due_idx ON backup_copy (next_at) WHERE status <> 'stored' AND removed_at IS NULL;

-- What the owner of a database and the administrators are told until they have seen it, or it is right again.
CREATE TABLE notice (
    id            uuid PRIMARY KEY,
    container_id  uuid NOT NULL REFERENCES container,
    kind          text NOT NULL CHECK (kind IN ('drill_failed', 'backup_failed', 'backup_missed')),
    -- The backup it is about, if it is about one.
    backup_id     uuid REFERENCES backup_log,
    text          text NOT NULL,
    at            timestamptz NOT NULL,
    owner_seen_at timestamptz,
    admin_seen_at timestamptz,
    -- Proven again, or a good backup is there.
    ended_at      timestamptz,
    -- When the configured program was given it; until then, when and how often that is tried.
    told_at       timestamptz,
    tell_after    timestamptz NOT NULL,
    tell_tries    integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX notice_open_key ON notice (container_id, kind) WHERE ended_at IS NULL;
CREATE INDEX notice_untold_idx ON notice (at) WHERE told_at IS NULL AND ended_at IS NULL;
