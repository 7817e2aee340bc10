# A database of the portal's own, in which one table is put together before it is moved. Looks first whether its place is
# free: what is there by an earlier attempt of the same job is removed, anything else is left alone.
PGDATABASE=$DB4SCI_DATABASE psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -f - <<'SQL'
\getenv db DB4SCI_INTO
\getenv place DB4SCI_PLACE
\getenv token DB4SCI_TOKEN
SET client_min_messages = error;
SELECT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = :'place' AND obj_description(n.oid, 'pg_namespace') IS DISTINCT FROM :'token') AS other \gset
\if :other
  DO $$BEGIN RAISE EXCEPTION 'There is a schema of this name already. Nothing was touched.'; END$$;
\endif
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', :'place') \gexec
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'db') \gexec
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', :'db',
              pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database WHERE datname = current_database() \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'db') \gexec
SQL
