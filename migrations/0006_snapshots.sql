-- Data directories beside a database's own: being filled to take its place, and afterwards what was there before, kept for
-- some days. The id names the directory, on the tier of its container.
CREATE TABLE snapshot (
    id             uuid PRIMARY KEY,
    container_id   uuid NOT NULL REFERENCES container,
    job_id         uuid REFERENCES job ON DELETE SET NULL,
    reason         text NOT NULL CHECK (reason IN ('restore', 'upgrade', 'undo')),
    -- The backup that the new data comes from.
    backup_id      uuid REFERENCES backup_log,
    -- The image that the data set aside was written by, and the one that runs on what took its place.
    image          text NOT NULL,
    image_after    text NOT NULL,
    requested_at   timestamptz NOT NULL,
    -- When the two changed places; before, the directory holds what is to come.
    made_at        timestamptz,
    expires_at     timestamptz,
    removed_at     timestamptz,
    CHECK ((made_at IS NULL) = (expires_at IS NULL))
);
CREATE INDEX snapshot_container_idx ON snapshot (container_id) WHERE removed_at IS NULL;
CREATE INDEX snapshot_job_idx ON snapshot (job_id);
