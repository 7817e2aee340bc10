-- What lies in the targets for mydb_admin itself, as it was last seen there: a page must not wait for a store.
CREATE TABLE admin_backup (
    target   text NOT NULL,
    location text NOT NULL,
    made_at  timestamptz NOT NULL,
    bytes    bigint NOT NULL CHECK (bytes >= 0),
    -- Whether the keys lie beside it, encrypted to the recovery key.
    keys     boolean NOT NULL,
    PRIMARY KEY (target, location)
);
CREATE INDEX admin_backup_made_idx ON admin_backup (made_at DESC);

-- When the deletion of a database was noted beside its backups; null where nothing is noted.
ALTER TABLE container ADD COLUMN marked_at timestamptz;
