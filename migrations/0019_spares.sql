-- Servers that were started in advance, on a copy of a seed, and paused. A new database takes one: its id becomes that of the
-- container, and its ports become the container's.
CREATE TABLE spare (
    id            uuid PRIMARY KEY,
    image         text NOT NULL,
    tier          text NOT NULL,
    digest        text NOT NULL,
    -- What its data and its configuration depend on.
    fingerprint   text NOT NULL,
    memory_bytes  bigint NOT NULL,
    millicpus     integer NOT NULL,
    docker_name   text NOT NULL UNIQUE,
    docker_id     text,
    -- The administrator's own password, which it gets when the spare is taken, and the one it has until then; encrypted for
    -- the container of this id.
    admin_sealed  bytea NOT NULL,
    seed_sealed   bytea NOT NULL,
    begun_at      timestamptz NOT NULL,
    -- Set once its server is paused.
    made_at       timestamptz
);
ALTER TABLE port ADD COLUMN spare_id uuid REFERENCES spare;
ALTER TABLE port DROP CONSTRAINT port_check;
ALTER TABLE port ADD CHECK ((container_id IS NOT NULL)::int + (spare_id IS NOT NULL)::int + (occupied_note IS NOT NULL)::int = 1);
CREATE INDEX port_spare_idx ON port (spare_id) WHERE spare_id IS NOT NULL;
-- Whether a database was given a server that had been started in advance.
ALTER TABLE container ADD COLUMN from_spare boolean NOT NULL DEFAULT false;
