-- mydb_admin: everything the portal knows.
-- Four tables carry the original names (container, state, log, backup_log); the others serve them.

CREATE TYPE engine AS ENUM ('postgres', 'mariadb', 'mongodb', 'neo4j');
CREATE TYPE user_role AS ENUM ('user', 'admin');
CREATE TYPE container_state AS ENUM
    ('requested', 'provisioning', 'running', 'stopped', 'failed', 'deleting', 'trashed', 'purged');
CREATE TYPE job_status AS ENUM ('queued', 'running', 'succeeded', 'failed', 'cancelled');
CREATE TYPE step_status AS ENUM ('pending', 'running', 'done', 'failed', 'undone');
CREATE TYPE log_outcome AS ENUM ('ok', 'refused', 'failed');
CREATE TYPE backup_status AS ENUM ('running', 'succeeded', 'failed', 'cancelled');

CREATE TABLE account (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CHECK (username ~ '^[a-z][a-z0-9._-]{0,62}$'),
    email         text NOT NULL DEFAULT '',
    department    text NOT NULL DEFAULT '',
    role          user_role NOT NULL DEFAULT 'user',
    password_hash text,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    last_login_at timestamptz,
    CONSTRAINT account_username_key UNIQUE (username)
);

-- Only the SHA-256 of a session's secret is kept: a copy of this table signs nobody in.
CREATE TABLE session (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    account_id   uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    address      text NOT NULL DEFAULT '',
    user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX session_account_idx ON session (account_id);
CREATE INDEX session_expires_idx ON session (expires_at);

CREATE TABLE token (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    token_sha256 bytea NOT NULL CHECK (octet_length(token_sha256) = 32),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT token_sha256_key UNIQUE (token_sha256)
);
CREATE UNIQUE INDEX token_name_key ON token (account_id, name) WHERE revoked_at IS NULL;

-- One row for every container that ever lived.
CREATE TABLE container (
    id             uuid PRIMARY KEY,
    name           text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{1,39}$'),
    engine         engine NOT NULL,
    image          text NOT NULL,
    image_digest   text,
    server_version text,
    dbname         text NOT NULL,
    dbuser         text NOT NULL,
    account_id     uuid NOT NULL REFERENCES account,
    contact        text NOT NULL DEFAULT '',
    department     text NOT NULL DEFAULT '',
    description    text NOT NULL DEFAULT '',
    storage        text NOT NULL,
    memory_bytes   bigint NOT NULL CHECK (memory_bytes > 0),
    millicpus      integer NOT NULL CHECK (millicpus > 0),
    backup_freq    text NOT NULL DEFAULT 'Daily',
    docker_id      text,
    docker_name    text NOT NULL,
    inspect        jsonb,
    size_bytes     bigint,
    size_at        timestamptz,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    started_at     timestamptz,
    expires_at     timestamptz,
    trashed_at     timestamptz,
    purge_after    timestamptz,
    purged_at      timestamptz
);
-- A name belongs to one living container; a purged one gives it back.
CREATE UNIQUE INDEX container_name_key ON container (name) WHERE purged_at IS NULL;
CREATE UNIQUE INDEX container_docker_id_key ON container (docker_id) WHERE docker_id IS NOT NULL AND purged_at IS NULL;
CREATE INDEX container_owner_idx ON container (account_id, created_at DESC, id DESC) WHERE purged_at IS NULL;
CREATE INDEX container_living_created_idx ON container (created_at DESC, id DESC) WHERE purged_at IS NULL;
CREATE INDEX container_created_idx ON container (created_at DESC, id DESC);
CREATE INDEX container_purge_idx ON container (purge_after) WHERE purge_after IS NOT NULL AND purged_at IS NULL;
CREATE INDEX container_name_history_idx ON container (name, created_at DESC);

-- What should run now: one row a living container.
CREATE TABLE state (
    container_id     uuid PRIMARY KEY REFERENCES container,
    state            container_state NOT NULL,
    last_state       container_state NOT NULL,
    changed_by       text NOT NULL,
    changed_at       timestamptz NOT NULL,
    failed_step      text,
    failed_reason    text,
    maintenance_note text,
    -- Bookkeeping of automatic restarts: failures in the current window, and when to try next.
    failures         integer NOT NULL DEFAULT 0,
    failures_since   timestamptz,
    next_start_at    timestamptz,
    CHECK ((state = 'failed') = (failed_reason IS NOT NULL)),
    CHECK (state <> 'purged')
);
CREATE INDEX state_state_idx ON state (state);

-- A published port is a row, taken in the transaction that makes the container.
-- A row without a container marks a port that another program holds.
CREATE TABLE port (
    port          integer PRIMARY KEY CHECK (port BETWEEN 1 AND 65535),
    container_id  uuid REFERENCES container,
    purpose       text NOT NULL,
    taken_at      timestamptz NOT NULL,
    occupied_note text,
    CHECK ((container_id IS NULL) = (occupied_note IS NOT NULL))
);
CREATE UNIQUE INDEX port_container_purpose_key ON port (container_id, purpose) WHERE container_id IS NOT NULL;

-- Secrets sealed with the key of the mode's directory. 'admin' is the portal's own role in the
-- database; 'user' is kept only until the accounts are set and a generated password was shown.
CREATE TABLE credential (
    container_id uuid NOT NULL REFERENCES container,
    kind         text NOT NULL CHECK (kind IN ('admin', 'user')),
    username     text NOT NULL,
    sealed       bytea NOT NULL,
    generated    boolean NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (container_id, kind)
);

CREATE TABLE job (
    id           uuid PRIMARY KEY,
    kind         text NOT NULL,
    container_id uuid REFERENCES container,
    payload      jsonb NOT NULL DEFAULT '{}',
    status       job_status NOT NULL DEFAULT 'queued',
    attempt      integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 20 CHECK (max_attempts > 0),
    run_at       timestamptz NOT NULL,
    lease_until  timestamptz,
    worker       text,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    error        text,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
-- One action at a time on a container: the second is refused here, not by a check before.
CREATE UNIQUE INDEX job_one_per_container ON job (container_id)
    WHERE container_id IS NOT NULL AND status IN ('queued', 'running');
CREATE INDEX job_due_idx ON job (run_at) WHERE status = 'queued';
CREATE INDEX job_lease_idx ON job (lease_until) WHERE status = 'running';
CREATE INDEX job_container_idx ON job (container_id, created_at DESC);
CREATE INDEX job_created_idx ON job (created_at DESC, id DESC);
CREATE INDEX job_status_idx ON job (status, created_at DESC, id DESC);

CREATE TABLE job_step (
    job_id      uuid NOT NULL REFERENCES job ON DELETE CASCADE,
    seq         smallint NOT NULL,
    name        text NOT NULL,
    status      step_status NOT NULL DEFAULT 'pending',
    detail      text NOT NULL DEFAULT '',
    started_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (job_id, seq)
);

-- Work that is due again and again, claimed by whichever portal comes first.
CREATE TABLE schedule (
    name     text PRIMARY KEY,
    next_run timestamptz NOT NULL,
    last_run timestamptz,
    worker   text,
    result   jsonb
);

-- Every action: who, from where, what, on which container, outcome.
CREATE TABLE log (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    actor          text NOT NULL,
    address        text NOT NULL DEFAULT '',
    action         text NOT NULL,
    container_id   uuid REFERENCES container,
    container_name text NOT NULL DEFAULT '',
    outcome        log_outcome NOT NULL,
    detail         text NOT NULL DEFAULT '',
    request_id     text NOT NULL DEFAULT ''
);
CREATE INDEX log_container_idx ON log (container_id, id DESC) WHERE container_id IS NOT NULL;
CREATE INDEX log_actor_idx ON log (actor, id DESC);
CREATE INDEX log_action_idx ON log (action, id DESC);
CREATE INDEX log_name_idx ON log (container_name, id DESC);
CREATE INDEX log_not_ok_idx ON log (outcome, id DESC) WHERE outcome <> 'ok';

CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER log_append_only BEFORE UPDATE OR DELETE ON log
    FOR EACH ROW EXECUTE FUNCTION log_is_append_only();
CREATE TRIGGER log_no_truncate BEFORE TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only();

-- One row a backup or drill.
CREATE TABLE backup_log (
    id           uuid PRIMARY KEY,
    container_id uuid NOT NULL REFERENCES container,
    kind         text NOT NULL,
    status       backup_status NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    location     text,
    bytes        bigint CHECK (bytes >= 0),
    sha256       bytea CHECK (octet_length(sha256) = 32),
    manifest     jsonb,
    level        smallint CHECK (level BETWEEN 0 AND 6),
    restore_ms   bigint CHECK (restore_ms >= 0),
    error        text,
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
);
CREATE INDEX backup_log_container_idx ON backup_log (container_id, started_at DESC);
CREATE INDEX backup_log_started_idx ON backup_log (started_at DESC, id DESC);

-- What the reconciler found to differ between the container engine and this database.
CREATE TABLE finding (
    subject      text NOT NULL,
    kind         text NOT NULL,
    detail       text NOT NULL,
    container_id uuid REFERENCES container,
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    PRIMARY KEY (subject, kind)
);

CREATE TABLE tier_usage (
    tier        text PRIMARY KEY,
    used_bytes  bigint NOT NULL,
    free_bytes  bigint NOT NULL,
    total_bytes bigint NOT NULL,
    databases   bigint NOT NULL,
    file_system text NOT NULL,
    reflink     boolean NOT NULL,
    measured_at timestamptz NOT NULL
);

-- Portal-wide switches an admin sets (read-only with its banner), and the instance this database belongs to.
CREATE TABLE setting (
    key        text PRIMARY KEY,
    value      jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
