-- Dumps that people bring: whose each is, which databases it holds, what was noticed when it was received. One that waits
-- for an answer belongs to no container yet. The file is kept until the dump is loaded or given up.
ALTER TABLE dump_upload
    ALTER COLUMN container_id DROP NOT NULL,
    DROP CONSTRAINT dump_upload_packing_check,
    ADD CONSTRAINT dump_upload_packing_check CHECK (packing IN ('none', 'gzip', 'zstd', 'bzip2', 'xz', 'zip')),
    ADD COLUMN account_id uuid REFERENCES account,
    ADD COLUMN version    jsonb,
    ADD COLUMN databases  jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN told       jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN everything boolean NOT NULL DEFAULT false;
-- A failed load of before this kept no file.
CREATE INDEX dump_upload_waiting ON dump_upload (received_at) WHERE report IS NULL;
