-- One person can't stop the others: whose turn it is, how much they may take, and from where they signed in before.

-- When a worker last began something for somebody: the nil UUID is the portal itself.
CREATE TABLE job_turn (
    owner     uuid PRIMARY KEY,
    served_at timestamptz NOT NULL
);

-- What all databases of a person together may take; NULL: the configured limits.
ALTER TABLE account
    ADD memory_limit   bigint  CHECK (memory_limit >= 0),
    ADD millicpu_limit integer CHECK (millicpu_limit >= 0);

-- Browsers that somebody signed in with: floods of wrong passwords from elsewhere don't lock them out. Only the SHA-256
-- of the cookie's secret is kept.
CREATE TABLE device (
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    account_id    uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    PRIMARY KEY (secret_sha256, account_id)
);
CREATE INDEX device_account_idx ON device (account_id, last_used_at DESC);
