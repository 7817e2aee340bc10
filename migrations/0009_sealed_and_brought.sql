-- Backups that are encrypted: whose keys open each. Taken from the manifest, which says it to everybody.
ALTER TABLE backup_log
    ADD COLUMN recipients jsonb GENERATED ALWAYS AS (manifest #> '{encryption,recipients}') STORED;

-- Dumps that people brought to make a database of, and what failed in them. The file is named by the id, and gone when the
-- job is over.
CREATE TABLE dump_upload (
    id           uuid PRIMARY KEY,
    container_id uuid NOT NULL UNIQUE REFERENCES container,
    tier         text NOT NULL,
    name         text NOT NULL,
    format       jsonb NOT NULL,
    packing      text NOT NULL CHECK (packing IN ('none', 'gzip', 'zstd')),
    says_its_end boolean NOT NULL,
    bytes        bigint NOT NULL CHECK (bytes > 0),
    received_at  timestamptz NOT NULL,
    begun_at     timestamptz,
    report       jsonb
);
