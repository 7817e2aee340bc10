-- What more than one engine needs: extensions chosen at the create, the programs an image has, looks into servers,
-- and samples for charts.

ALTER TABLE container ADD COLUMN extensions text[] NOT NULL DEFAULT '{}';

-- Which of the programs that the portal runs an image has; looked up once for its digest.
CREATE TABLE image_tool (
    digest    text PRIMARY KEY,
    tools     text[] NOT NULL,
    looked_at timestamptz NOT NULL
);

-- The last look into a server: what it holds, as it says itself. A look that fails keeps the one before.
CREATE TABLE survey (
    container_id uuid PRIMARY KEY REFERENCES container,
    at           timestamptz,
    data         jsonb,
    error        text,
    error_at     timestamptz,
    CHECK ((at IS NULL) = (data IS NULL)),
    CHECK ((error IS NULL) = (error_at IS NULL))
);

-- Points of the charts. Older ones are thinned out to one an hour, then dropped.
CREATE TABLE sample (
    container_id uuid NOT NULL REFERENCES container,
    at           timestamptz NOT NULL,
    size_bytes   bigint CHECK (size_bytes >= 0),
    memory_bytes bigint CHECK (memory_bytes >= 0),
    -- Processor time since the container was started, in microseconds: a rate comes from two points.
    cpu_us       bigint CHECK (cpu_us >= 0),
    connections  integer CHECK (connections >= 0),
    PRIMARY KEY (container_id, at)
);
CREATE INDEX sample_at_idx ON sample (at);
