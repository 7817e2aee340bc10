-- Data directories that were initialised once for an image, a configuration and a tier: new databases begin with a copy.
-- The directory on the tier has the row's id as its name.
CREATE TABLE seed (
    id          uuid PRIMARY KEY,
    tier        text NOT NULL,
    image       text NOT NULL,
    -- What the content depends on: engine, digest of the image, settings.
    fingerprint text NOT NULL,
    -- The administrator's password in it, until a copy has another.
    sealed      bytea NOT NULL,
    begun_at    timestamptz NOT NULL,
    -- Set once the directory is whole.
    made_at     timestamptz,
    -- Why it could not be made.
    failed      text,
    CHECK (made_at IS NULL OR failed IS NULL),
    UNIQUE (tier, fingerprint)
);

-- A new container's administrator has the password of the seed until its accounts are set.
ALTER TABLE credential DROP CONSTRAINT credential_kind_check;
ALTER TABLE credential ADD CHECK (kind IN ('admin', 'user', 'seed'));
