# Removes what this job made and did not finish: the portal's own database, and by its comment what it put beside.
psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -d postgres -f - <<'SQL'
\getenv db DB4SCI_INTO
\getenv token DB4SCI_TOKEN
\getenv unfinished DB4SCI_UNFINISHED
SET client_min_messages = error;
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname) FROM pg_database d
 WHERE datname = :'db' AND (starts_with(datname, 'db4sci_restore_') OR (:'unfinished' = '1' AND shobj_description(d.oid, 'pg_database') = :'token')) \gexec
SQL
[ -n "$DB4SCI_PLACE" ] && [ "$DB4SCI_UNFINISHED" = 1 ] || exit 0
PGDATABASE=$DB4SCI_DATABASE psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -f - <<'SQL'
\getenv place DB4SCI_PLACE
\getenv token DB4SCI_TOKEN
SET client_min_messages = error;
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace n
 WHERE nspname = :'place' AND obj_description(n.oid, 'pg_namespace') = :'token' \gexec
SQL
