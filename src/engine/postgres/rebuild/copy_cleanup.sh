# Removes what this job created and did not finish: the portal's own database, the unfinished copy (identified by its
# comment), and the role that was used to create it.
administer postgres -f - <<'SQL'
\getenv db DB4SCI_INTO
\getenv token DB4SCI_TOKEN
\getenv unfinished DB4SCI_UNFINISHED
SET client_min_messages = error;
-- The owner may have renamed it in the meantime.
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname) FROM pg_database d
 WHERE oid IN (SELECT oid FROM db4sci.scratch) AND shobj_description(d.oid, 'pg_database') = :'token'
    OR datname = :'db' AND (starts_with(datname, 'db4sci_restore_') OR (:'unfinished' = '1' AND shobj_description(d.oid, 'pg_database') = :'token')) \gexec
DELETE FROM db4sci.scratch s WHERE NOT EXISTS (SELECT FROM pg_database d WHERE d.oid = s.oid);
SQL
if [ -n "$DB4SCI_PLACE" ] && [ "$DB4SCI_UNFINISHED" = 1 ]; then
  edit "$DB4SCI_DATABASE" -f - <<'SQL'
\getenv place DB4SCI_PLACE
\getenv token DB4SCI_TOKEN
SET client_min_messages = error;
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace n
 WHERE nspname = :'place' AND obj_description(n.oid, 'pg_namespace') = :'token' \gexec
SQL
fi
unlend "$DB4SCI_DATABASE"
