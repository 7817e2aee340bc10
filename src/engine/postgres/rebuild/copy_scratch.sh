# Creates a database for the portal itself, in which one table is assembled before it is moved. Checks first whether the
# target schema is free: one from an earlier attempt of the same job is removed, any other is left alone.
edit "$DB4SCI_DATABASE" -f - <<'SQL'
\getenv place DB4SCI_PLACE
\getenv token DB4SCI_TOKEN
SET client_min_messages = error;
SELECT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = :'place' AND obj_description(n.oid, 'pg_namespace') IS DISTINCT FROM :'token') AS other \gset
\if :other
  DO $$BEGIN RAISE EXCEPTION 'A schema of this name already exists. Nothing was changed.'; END$$;
\endif
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', :'place') \gexec
SQL
administer postgres -f - <<'SQL'
\getenv db DB4SCI_INTO
\getenv from DB4SCI_DATABASE
SET client_min_messages = error;
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'db') \gexec
@LIKE@-- It is the portal's own from now on, whatever its name becomes.
INSERT INTO db4sci.scratch SELECT oid FROM pg_database WHERE datname = :'db' ON CONFLICT DO NOTHING;
SELECT format('GRANT CONNECT ON DATABASE %I TO db4sci_observer', :'db') \gexec
SQL
DB4SCI_DATABASE=$DB4SCI_INTO
export DB4SCI_DATABASE
ends() { :; }
