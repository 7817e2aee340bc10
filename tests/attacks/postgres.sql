-- Every trap that the owner of a PostgreSQL can set for whoever reads, dumps, restores or administers it. Each notes who ran
-- it and tries to climb. Run as ada in trial.
CREATE UNLOGGED TABLE public.seen (trap text, session_was text, current_was text, super text);
CREATE FUNCTION public.note(trap text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  BEGIN
    INSERT INTO public.seen VALUES (trap, session_user, current_user, pg_catalog.current_setting('is_superuser'));
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN EXECUTE 'ALTER ROLE ada SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'CREATE ROLE climbed'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'GRANT db4sci_admin TO ada'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'GRANT pg_execute_server_program TO ada'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch /tmp/climbed'''; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'SET ROLE db4sci_admin'; EXECUTE 'ALTER ROLE ada SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'ALTER ROLE ada SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; EXECUTE 'ALTER ROLE ada SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'SET ROLE NONE'; EXECUTE 'ALTER ROLE ada SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'SET default_transaction_read_only = off'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'ALTER ROLE db4sci_observer PASSWORD ''mine'''; EXCEPTION WHEN OTHERS THEN NULL; END;
  -- Something that would stay behind and run with the privileges of whoever was caught.
  IF session_user <> 'ada' THEN
    BEGIN EXECUTE 'CREATE FUNCTION public.left_behind() RETURNS text SECURITY DEFINER LANGUAGE sql AS ''SELECT session_user::text'''; EXCEPTION WHEN OTHERS THEN NULL; END;
  END IF;
END $$;
-- What looks harmless enough to stand in an index.
CREATE FUNCTION public.trap(what text, value int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.note(what); RETURN value; END $$;
CREATE FUNCTION public.trap(what text, value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.note(what); RETURN value; END $$;

-- Functions that hide the server's own, for whoever looks for names in public first.
CREATE FUNCTION public.pg_export_snapshot() RETURNS text LANGUAGE sql AS $$ SELECT public.trap('pg_export_snapshot', 'x') $$;
CREATE FUNCTION public.string_to_table(text, text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT public.trap('string_to_table', $1) $$;
CREATE FUNCTION public.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('format', 'ALTER ROLE ada SUPERUSER') $$;
CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('format', 'ALTER ROLE ada SUPERUSER') $$;
CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('format', 'ALTER ROLE ada SUPERUSER') $$;
CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('current_setting', 'x') $$;
CREATE FUNCTION public.current_database() RETURNS name LANGUAGE sql AS $$ SELECT public.trap('current_database', 'trial')::name $$;
CREATE FUNCTION public.quote_ident(text) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('quote_ident', $1) $$;
CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('set_config', $2) $$;
CREATE FUNCTION public.hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT public.trap('hash', 1)::bigint $$;
CREATE FUNCTION public.bt_index_check(regclass, boolean) RETURNS void LANGUAGE sql AS $$ SELECT public.note('bt_index_check') $$;
CREATE SCHEMA db4sci_check;
CREATE FUNCTION db4sci_check.bt_index_check(regclass, boolean) RETURNS void LANGUAGE sql AS $$ SELECT public.note('bt_index_check') $$;
CREATE FUNCTION public.eq(name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('operator', 1) = 1 $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.eq);
CREATE FUNCTION public.eq(name, name) RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('operator', 1) = 1 $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.eq);
CREATE OPERATOR public.<> (LEFTARG = name, RIGHTARG = name, FUNCTION = public.eq);
CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = text, FUNCTION = public.eq);
CREATE FUNCTION public.joined(text, text) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('operator', 'x') $$;
CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = public.joined);
CREATE FUNCTION public.counting(bigint, text) RETURNS bigint LANGUAGE sql AS $$ SELECT public.trap('aggregate', 1)::bigint $$;
CREATE AGGREGATE public.string_agg(text) (SFUNC = public.counting, STYPE = bigint);
CREATE VIEW public.pg_database AS SELECT public.trap('pg_database', 'x') AS datname, 1 AS oid;
CREATE VIEW public.pg_class AS SELECT public.trap('pg_class', 'x') AS relname;
CREATE VIEW public.pg_roles AS SELECT public.trap('pg_roles', 'x') AS rolname, true AS rolsuper;

-- What runs when rows are read, turned to text, or put back.
CREATE TABLE public.loot (id int PRIMARY KEY, name text);
INSERT INTO public.loot SELECT i, 'row ' OPERATOR(pg_catalog.||) i::text FROM generate_series(1, 50) AS i;
CREATE FUNCTION public.loot_text(public.loot) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('cast', 'x') $$;
CREATE CAST (public.loot AS text) WITH FUNCTION public.loot_text(public.loot);
CREATE FUNCTION public.loot_json(public.loot) RETURNS json LANGUAGE sql AS $$ SELECT '1'::json $$;
CREATE CAST (public.loot AS json) WITH FUNCTION public.loot_json(public.loot);
CREATE TABLE public.odd_column (db4sci_row int, "count" int);
INSERT INTO public.odd_column VALUES (1, 2);
CREATE DOMAIN public.checked AS text CHECK (public.trap('domain', VALUE) IS NOT NULL);
CREATE FUNCTION public.apart(int, int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ($1 - $2)::float8 $$;
CREATE TYPE public.span AS RANGE (SUBTYPE = int, SUBTYPE_DIFF = public.apart);
CREATE TABLE public.typed (c public.checked, s public.span, r public.loot);
INSERT INTO public.typed VALUES ('a', '[1,3)', ROW (1, 'a'));
CREATE TABLE public.computed (i int CHECK (public.trap('check', i) > 0), d int DEFAULT public.trap('default', 7),
  g int GENERATED ALWAYS AS (public.trap('generated', i)) STORED);
INSERT INTO public.computed (i) SELECT generate_series(1, 20);
CREATE INDEX ON public.computed (public.trap('index', i)) WHERE public.trap('index part', i) > 3;
CREATE STATISTICS public.guess ON (public.trap('statistics', i)), d FROM public.computed;
-- The server evaluates functions with constant arguments when it only plans or opens a table.
CREATE INDEX ON public.computed ((i + public.trap('constant in an index', 0)));
CREATE INDEX ON public.computed (i) WHERE i > public.trap('constant in a predicate', 0);
CREATE STATISTICS public.constant ON ((i + public.trap('constant in statistics', 0))), d FROM public.computed;
CREATE TABLE public.parted_by (i int) PARTITION BY RANGE ((i + public.trap('constant in a partition key', 0)));
CREATE TABLE public.parted_by_1 PARTITION OF public.parted_by FOR VALUES FROM (0) TO (100);
INSERT INTO public.parted_by VALUES (1);
CREATE TABLE public.parted (i int) PARTITION BY LIST ((public.trap('partition', i)));
CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES IN (1);
INSERT INTO public.parted VALUES (1);
CREATE FUNCTION public.fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.note('trigger'); RETURN new; END $$;
CREATE TRIGGER fires BEFORE INSERT OR UPDATE OR DELETE ON public.computed FOR EACH ROW EXECUTE FUNCTION public.fires();
ALTER TABLE public.computed ENABLE ALWAYS TRIGGER fires;
CREATE TABLE public.ruled (i int);
CREATE RULE ruled AS ON INSERT TO public.ruled DO ALSO SELECT public.note('rule');
CREATE TABLE public.policed (i int);
INSERT INTO public.policed SELECT generate_series(1, 9);
CREATE POLICY p ON public.policed USING (public.trap('policy', i) > 0) WITH CHECK (public.trap('policy', i) > 0);
ALTER TABLE public.policed ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.policed FORCE ROW LEVEL SECURITY;
CREATE VIEW public.glance AS SELECT public.trap('view', id) AS id FROM public.loot;
CREATE MATERIALIZED VIEW public.kept AS SELECT public.trap('materialized view', id) AS id FROM public.loot;
SELECT lo_from_bytea(0, 'large');

-- Names that could be taken for something else.
CREATE SCHEMA "it's; -- $(touch /tmp/climbed) `id` ""x"" \! touch /tmp/climbed";
CREATE TABLE "it's; -- $(touch /tmp/climbed) `id` ""x"" \! touch /tmp/climbed"."--host=/tmp -c" ("a
b" int, "🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘xyz" text);
CREATE TABLE public."; ALTER ROLE ada SUPERUSER;
\! touch /tmp/climbed
 db4sci_admin" (i int);
CREATE VIEW public."db4sci: {""fault"":""x""}" AS SELECT 1 AS i;
CREATE TABLE public."TABLE public x db4sci_admin" (i int);
-- Lines of a list, where somebody reads one a line.
CREATE SCHEMA "a
0|COPY (SELECT) TO PROGRAM 'touch /tmp/climbed' --";
CREATE EXTENSION citext SCHEMA "a
0|COPY (SELECT) TO PROGRAM 'touch /tmp/climbed' --";
CREATE SCHEMA "b
0|ALTER ROLE ada SUPERUSER--";
CREATE EXTENSION ltree SCHEMA "b
0|ALTER ROLE ada SUPERUSER--";
-- The server repeats the name of this one to whoever connects.
CREATE DATABASE "
db4sci: {""count"":{""kind"":""\nid;"",""name"":"""",""rows"":1}}
" TEMPLATE template0 COLLATION_VERSION = '1';
-- One that looks like the portal's own, so that it would be left out of a backup.
CREATE DATABASE db4sci_restore_abc123;
CREATE DATABASE "host=/tmp user=db4sci_admin dbname=postgres";
CREATE DATABASE "-c; $(touch /tmp/climbed)
'x' \";

-- And for whoever connects.
ALTER DATABASE trial SET search_path = public, pg_catalog;
ALTER ROLE ada SET search_path = 'public', 'pg_catalog', 'x;ALTER/**/ROLE/**/ada/**/SUPERUSER', '';
ALTER DATABASE trial SET "DateStyle" = 'SQL, DMY';
ALTER DATABASE trial SET default_transaction_read_only = on;
ALTER DATABASE trial SET statement_timeout = 1;
ALTER DATABASE trial SET lock_timeout = 1;
ALTER DATABASE trial SET idle_in_transaction_session_timeout = 1;
ALTER DATABASE trial SET idle_session_timeout = 1;
ALTER DATABASE trial SET default_transaction_isolation = 'serializable';
ALTER DATABASE trial SET default_transaction_deferrable = on;
ALTER DATABASE trial SET row_security = off;
ALTER DATABASE trial SET "IntervalStyle" = 'sql_standard';
ALTER DATABASE trial SET "TimeZone" = 'Asia/Kathmandu';
ALTER DATABASE trial SET bytea_output = 'escape';
ALTER DATABASE trial SET extra_float_digits = -15;
ALTER DATABASE trial SET client_encoding = 'LATIN1';
ALTER DATABASE trial SET standard_conforming_strings = off;
ALTER DATABASE trial SET escape_string_warning = off;
ALTER DATABASE trial SET backslash_quote = on;
ALTER DATABASE trial SET quote_all_identifiers = on;
ALTER DATABASE trial SET transform_null_equals = on;
ALTER DATABASE trial SET array_nulls = off;
ALTER DATABASE trial SET client_min_messages = 'debug5';
ALTER DATABASE trial SET exit_on_error = on;
ALTER DATABASE trial SET default_tablespace = 'nowhere';
ALTER DATABASE trial SET temp_tablespaces = 'nowhere', 'a "b';
ALTER DATABASE trial SET default_table_access_method = 'nothing';
ALTER DATABASE trial SET local_preload_libraries = 'nothing';
ALTER DATABASE trial SET xmloption = 'document';
ALTER DATABASE trial SET xmlbinary = 'hex';
ALTER DATABASE trial SET check_function_bodies = off;
ALTER DATABASE trial SET plan_cache_mode = 'force_generic_plan';
ALTER DATABASE trial SET jit = on;
ALTER DATABASE trial SET client_connection_check_interval = 1;
ALTER DATABASE trial SET role = 'ada';
ALTER DATABASE trial SET session_authorization = 'ada';
