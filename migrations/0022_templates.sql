-- Templates: databases at rest that new databases are copied from. The data is imported from a dump in the directory of dumps.
CREATE TABLE template (
    id              uuid PRIMARY KEY,
    name            text NOT NULL,
    engine          engine NOT NULL,
    -- What its versions are imported with, as in the catalog, and where they are.
    image           text NOT NULL,
    storage         text NOT NULL,
    -- The file in the directory of dumps.
    source          text NOT NULL,
    -- Names and limits of the databases made from it. Without a time to live they are kept.
    dbname          text NOT NULL,
    dbuser          text NOT NULL,
    memory_bytes    bigint NOT NULL,
    millicpus       integer NOT NULL,
    ttl_seconds     bigint CHECK (ttl_seconds > 0),
    -- Accounts that may use it; if empty, everybody.
    users           text[] NOT NULL DEFAULT '{}',
    description     text NOT NULL DEFAULT '',
    -- The version that new databases are copied from.
    current_version uuid,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    deleted_at      timestamptz
);
CREATE UNIQUE INDEX template_name_key ON template (name) WHERE deleted_at IS NULL;

-- The data directories of templates; the id is the name of the directory.
CREATE TABLE template_version (
    id            uuid PRIMARY KEY,
    template_id   uuid NOT NULL REFERENCES template,
    number        integer NOT NULL,
    job_id        uuid REFERENCES job ON DELETE SET NULL,
    image         text NOT NULL,
    digest        text NOT NULL DEFAULT '',
    storage       text NOT NULL,
    dbname        text NOT NULL,
    dbuser        text NOT NULL,
    -- The file it was imported from.
    source        text NOT NULL,
    source_bytes  bigint NOT NULL DEFAULT 0,
    source_mtime  timestamptz,
    source_sha256 text NOT NULL DEFAULT '',
    -- The same for the script that is run before it is complete, if there is one.
    hook_sha256   text NOT NULL DEFAULT '',
    requested_at  timestamptz NOT NULL,
    begun_at      timestamptz,
    -- Set once it is complete, or once it is known that it never will be.
    made_at       timestamptz,
    failed_at     timestamptz,
    bytes         bigint,
    report        jsonb,
    -- The encrypted password of the administrator in the data.
    sealed        bytea,
    removed_at    timestamptz,
    UNIQUE (template_id, number)
);
ALTER TABLE template ADD FOREIGN KEY (current_version) REFERENCES template_version;
-- One import of a template at a time: the second is refused here.
CREATE UNIQUE INDEX template_version_import_key ON template_version (template_id)
    WHERE made_at IS NULL AND failed_at IS NULL;
CREATE INDEX template_version_job_idx ON template_version (job_id) WHERE job_id IS NOT NULL;

-- Jobs that work on no container are limited to one of each kind, except imports: those are limited to one of each template.
DROP INDEX job_one_of_portal;
CREATE UNIQUE INDEX job_one_of_portal ON job (kind)
    WHERE container_id IS NULL AND kind <> 'import-template' AND status IN ('queued', 'running');

-- The version that a database was copied from, and the name that its owner gave it among those of the template.
ALTER TABLE container ADD COLUMN template_version uuid REFERENCES template_version;
ALTER TABLE container ADD COLUMN template_id uuid REFERENCES template;
ALTER TABLE container ADD COLUMN instance_name text NOT NULL DEFAULT '';
CREATE INDEX container_template_version_idx ON container (template_version) WHERE template_version IS NOT NULL;
-- The names that one person gives to the databases from one template are unique.
CREATE UNIQUE INDEX container_instance_key ON container (account_id, template_id, instance_name)
    WHERE template_id IS NOT NULL AND purged_at IS NULL;
