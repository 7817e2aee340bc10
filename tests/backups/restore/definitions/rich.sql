-- One of every kind of object that the owner of a database can make in PostgreSQL 15 and later.
CREATE SCHEMA lab;
COMMENT ON SCHEMA lab IS 'where ''all'' is';
CREATE EXTENSION hstore SCHEMA public;
CREATE EXTENSION fuzzystrmatch SCHEMA public;

CREATE TYPE lab.mood AS ENUM ('sad', 'ok', 'it''s fine');
CREATE TYPE lab.pair AS (a integer, b text COLLATE "C");
CREATE TYPE lab.span AS RANGE (subtype = numeric, multirange_type_name = lab.spans);
CREATE DOMAIN lab.percent AS numeric(5, 2) DEFAULT 0 NOT NULL CONSTRAINT fits CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN lab.code AS varchar(8) CHECK (VALUE IN ('a', 'b', 'c') AND VALUE ~ '^[a-c]');
CREATE COLLATION lab.german (locale = 'C');

CREATE SEQUENCE lab.numbers AS integer START 7 INCREMENT 3 MINVALUE -5 CYCLE CACHE 4;
CREATE TABLE lab.parent (id integer GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY, name varchar(40) NOT NULL UNIQUE);
CREATE TABLE lab.things (
  id bigserial PRIMARY KEY,
  parent integer REFERENCES lab.parent ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  kind varchar(10) NOT NULL DEFAULT 'x'::character varying CHECK (kind IN ('x', 'y', 'z')),
  state text CHECK (state = ANY ('{on,off}'::text[])) CHECK (lower(state) NOT IN ('a', 'b')),
  mood lab.mood DEFAULT 'ok',
  size lab.percent,
  code lab.code,
  at timestamp(3) with time zone DEFAULT now(),
  span lab.span,
  seen interval DEFAULT '1 day 02:03'::interval,
  low integer DEFAULT -1,
  number integer DEFAULT nextval('lab.numbers'),
  twice numeric GENERATED ALWAYS AS (low * 2) STORED,
  tags text[] DEFAULT ARRAY['a', 'b']::text[],
  more hstore,
  body text COMPRESSION pglz,
  search tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, coalesce(body, ''))) STORED,
  CONSTRAINT sane CHECK ((low < 100 AND low > -5) OR (low = 1000 AND (state IS NULL OR state <> 'off'))),
  CONSTRAINT apart EXCLUDE USING gist (span WITH &&)
);
ALTER TABLE lab.things ALTER body SET STORAGE EXTERNAL, ALTER kind SET STATISTICS 500, ALTER low SET (n_distinct = 5), CLUSTER ON things_pkey;
ALTER TABLE lab.things SET (fillfactor = 70, autovacuum_enabled = false), REPLICA IDENTITY FULL;
ALTER TABLE lab.things DROP COLUMN seen;
ALTER TABLE lab.things ADD CONSTRAINT later CHECK (number > -1000) NOT VALID;
CREATE TABLE lab.child (extra integer) INHERITS (lab.parent);
CREATE UNLOGGED TABLE lab.fast (a integer);
CREATE TABLE lab.typed OF lab.pair (b WITH OPTIONS DEFAULT 'z');
COMMENT ON TABLE lab.things IS E'two\nlines; -- and\n--\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n--\n';
COMMENT ON COLUMN lab.things.kind IS 'a column';
COMMENT ON CONSTRAINT sane ON lab.things IS 'a constraint';
COMMENT ON TYPE lab.mood IS 'a type';
COMMENT ON SEQUENCE lab.numbers IS 'a sequence';
COMMENT ON DOMAIN lab.percent IS 'a domain';
COMMENT ON COLUMN lab.pair.a IS 'in a type';

CREATE TABLE lab.events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE lab.events_1 PARTITION OF lab.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE lab.events_2 PARTITION OF lab.events FOR VALUES FROM ('2021-01-01') TO (MAXVALUE) PARTITION BY HASH (what);
CREATE TABLE lab.events_2a PARTITION OF lab.events_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE lab.events_2b PARTITION OF lab.events_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE lab.events_rest PARTITION OF lab.events DEFAULT;
CREATE INDEX events_at ON lab.events (at DESC NULLS LAST);
CREATE TABLE lab.listed (k text) PARTITION BY LIST (lower(k));
CREATE TABLE lab.listed_1 PARTITION OF lab.listed FOR VALUES IN ('a', 'b', NULL);

CREATE INDEX things_low ON lab.things USING btree (low, (upper(state)) text_pattern_ops) INCLUDE (code) WITH (fillfactor = 80) WHERE kind IN ('x', 'y');
CREATE INDEX things_search ON lab.things USING gin (search);
CREATE UNIQUE INDEX things_unique ON lab.things (number) NULLS NOT DISTINCT;
CREATE STATISTICS lab.correlated (dependencies, mcv) ON kind, state FROM lab.things;
CREATE STATISTICS lab.computed ON (low % 10), (lower(state)) FROM lab.things;
ALTER STATISTICS lab.correlated SET STATISTICS 200;
COMMENT ON INDEX lab.things_low IS 'an index';
COMMENT ON STATISTICS lab.correlated IS 'a statistic';

CREATE FUNCTION lab.added(a integer, b integer DEFAULT 1 + 1, VARIADIC c integer[] DEFAULT '{}') RETURNS integer
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 RETURN a + b;
CREATE FUNCTION lab.rows_of(n integer) RETURNS TABLE (x integer, y text) LANGUAGE plpgsql ROWS 17 SECURITY DEFINER
  SET search_path = 'lab', 'public' SET work_mem = '8MB' AS $body$
BEGIN
  -- Name: x; Type: TABLE; Schema: lab; Owner: ada

  RETURN QUERY SELECT g, $q$it's$q$::text FROM generate_series(1, n) g;
END $body$;
CREATE PROCEDURE lab.doing(INOUT a integer) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; END $$;
CREATE FUNCTION lab.step(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE AGGREGATE lab.total (integer) (SFUNC = lab.step, STYPE = integer, INITCOND = '0', PARALLEL = SAFE);
CREATE FUNCTION lab.near(lab.pair, lab.pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a = $2.a';
CREATE OPERATOR lab.=== (LEFTARG = lab.pair, RIGHTARG = lab.pair, FUNCTION = lab.near, COMMUTATOR = OPERATOR(lab.===));
CREATE FUNCTION lab.to_int(lab.pair) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
CREATE CAST (lab.pair AS integer) WITH FUNCTION lab.to_int(lab.pair) AS ASSIGNMENT;
CREATE CONVERSION lab.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON FUNCTION lab.step(integer, integer) IS 'a function';
COMMENT ON AGGREGATE lab.total(integer) IS 'an aggregate';
COMMENT ON OPERATOR lab.===(lab.pair, lab.pair) IS 'an operator';
COMMENT ON CAST (lab.pair AS integer) IS 'a cast';

CREATE VIEW lab.shown WITH (security_barrier) AS
  SELECT t.id, t.kind, CASE WHEN t.kind IN ('x', 'y') THEN 'early' ELSE 'late' END AS phase, t.at::date - 1 AS before,
         (SELECT count(*) FROM lab.parent p WHERE p.id = t.parent) AS parents, t.low || 'x' AS text, -t.low AS minus, t.tags[1:2] AS some
    FROM lab.things t
   WHERE (t.low > 0 OR t.state IS DISTINCT FROM 'off') AND t.at > now() - interval '1 year' AND t.kind NOT IN ('z')
  WITH CASCADED CHECK OPTION;
CREATE VIEW lab.joined (a, b) AS
  WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5)
  SELECT t.n, sum(p.id) FILTER (WHERE p.name LIKE 'a%') OVER (PARTITION BY p.name ORDER BY p.id ROWS 2 PRECEDING)
    FROM t LEFT JOIN lab.parent p ON p.id = t.n AND p.name IN ('a', 'b') CROSS JOIN LATERAL unnest(ARRAY['x', 'y']) AS u (v)
   WHERE NOT EXISTS (SELECT FROM lab.things WHERE things.low = t.n) OR u.v = ANY ('{x}');
CREATE MATERIALIZED VIEW lab.kept AS SELECT kind, count(*) AS n FROM lab.things GROUP BY GROUPING SETS ((kind), ()) WITH DATA;
CREATE UNIQUE INDEX kept_kind ON lab.kept (kind);
CREATE MATERIALIZED VIEW lab.unfilled AS SELECT 1 AS a WITH NO DATA;
COMMENT ON VIEW lab.shown IS 'a view';
COMMENT ON COLUMN lab.shown.phase IS 'a column of a view';
COMMENT ON MATERIALIZED VIEW lab.kept IS 'a materialized view';
ALTER VIEW lab.shown ALTER COLUMN kind SET DEFAULT 'y';

CREATE FUNCTION lab.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE OF kind, state ON lab.things FOR EACH ROW WHEN (OLD.kind IS DISTINCT FROM NEW.kind AND NEW.kind IN ('x', 'y')) EXECUTE FUNCTION lab.touched('a', 'it''s');
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON lab.things DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lab.touched();
CREATE TRIGGER off AFTER DELETE ON lab.parent REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION lab.touched();
ALTER TABLE lab.parent DISABLE TRIGGER off;
CREATE RULE quiet AS ON DELETE TO lab.fast WHERE OLD.a IN (1, 2) DO INSTEAD NOTHING;
COMMENT ON TRIGGER touch ON lab.things IS 'a trigger';
COMMENT ON RULE quiet ON lab.fast IS 'a rule';
ALTER TABLE lab.things ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON lab.things AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (kind IN ('x', 'y')) WITH CHECK (low > 0);
CREATE POLICY all_of_it ON lab.things USING (true);
COMMENT ON POLICY own ON lab.things IS 'a policy';

CREATE TEXT SEARCH DICTIONARY lab.simple (TEMPLATE = simple, STOPWORDS = 'english');
CREATE TEXT SEARCH CONFIGURATION lab.conf (COPY = english);
ALTER TEXT SEARCH CONFIGURATION lab.conf ALTER MAPPING FOR asciiword WITH lab.simple, english_stem;
COMMENT ON TEXT SEARCH CONFIGURATION lab.conf IS 'a configuration';
CREATE PUBLICATION part_of_it FOR TABLE lab.things (id, kind) WHERE (low > 3), lab.parent WITH (publish = 'insert, update');
COMMENT ON PUBLICATION part_of_it IS 'a publication';

ALTER DEFAULT PRIVILEGES IN SCHEMA lab GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA lab TO PUBLIC;
GRANT SELECT, INSERT ON lab.parent TO PUBLIC;
GRANT SELECT (id, kind) ON lab.things TO pg_monitor WITH GRANT OPTION;
GRANT UPDATE ON SEQUENCE lab.numbers TO pg_monitor;
REVOKE ALL ON FUNCTION lab.step(integer, integer) FROM PUBLIC;
REVOKE USAGE ON TYPE lab.mood FROM PUBLIC;
SELECT lo_from_bytea(4711, '\xdeadbeef');
COMMENT ON LARGE OBJECT 4711 IS 'a large object';
GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;

CREATE TABLE "Od;d ""Na-- me; Type: VIEW; Schema: x; Owner: y" ("select" integer, "ä
ß" text CHECK ("ä
ß" IN ('x', 'y')));
CREATE TABLE lab."$(id)" ("-c" text DEFAULT E'back\\slash\tand ''quote''');
CREATE VIEW lab."host=x dbname=y" AS SELECT * FROM lab."$(id)";

INSERT INTO lab.parent (name) VALUES ('a'), ('b');
INSERT INTO lab.things (parent, kind, state, size, code, low) VALUES (100, 'x', 'on', 50, 'a', 1), (101, 'y', NULL, 1, 'b', 2);
INSERT INTO lab.events VALUES ('2020-05-05', 'a'), ('2022-05-05', 'b'), ('1999-01-01', 'c');
ALTER DATABASE trial SET search_path = lab, public;
ALTER DATABASE trial SET "DateStyle" = 'SQL, DMY';
ALTER ROLE ada SET work_mem = '16MB';
COMMENT ON DATABASE trial IS 'a database';
