# Restores one database of a running server as a copy, under the name $DB4SCI_INTO. A database that already has this
# name is not touched, unless its comment shows that an earlier attempt of the same job created it.
administer postgres -f - <<'SQL'
\getenv db DB4SCI_INTO
\getenv from DB4SCI_DATABASE
\getenv token DB4SCI_TOKEN
SET client_min_messages = error;
SELECT EXISTS (SELECT FROM pg_database d WHERE d.datname = :'db' AND shobj_description(d.oid, 'pg_database') IS DISTINCT FROM :'token') AS other \gset
\if :other
  DO $$BEGIN RAISE EXCEPTION 'A database of this name already exists. Nothing was changed.'; END$$;
\endif
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'db') \gexec
@LIKE@SQL
DB4SCI_DATABASE=$DB4SCI_INTO
export DB4SCI_DATABASE
ends() { unlend "$DB4SCI_INTO"; }
