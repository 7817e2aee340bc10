# Prints what in a copy of another database's data would write to other servers, which roles have passwords, and which tables
# are empty because they are not logged. Changes nothing.
administer postgres -f - <<'SQL'
SET default_transaction_read_only = on;
\getenv admin DB4SCI_ADMIN
\getenv owner DB4SCI_USER
-- The owner's password is set later.
SELECT 'off role x' || encode(convert_to(rolname, 'UTF8'), 'hex') || ' x' FROM pg_authid
 WHERE rolpassword IS NOT NULL AND rolname NOT IN (:'admin', 'db4sci_observer', :'owner');
SELECT 'off slot x' || encode(convert_to(slot_name, 'UTF8'), 'hex') || ' x' FROM pg_replication_slots WHERE NOT active;
SQL
in_each_database <<'SQL'
SET default_transaction_read_only = on;
SELECT encode(convert_to(current_database(), 'UTF8'), 'hex') AS here \gset
SELECT 'off subscription x' || encode(convert_to(subname, 'UTF8'), 'hex') || ' x' || :'here'
  FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database());
-- In a copy of a running server they have no rows: the server empties them when it recovers.
SELECT 'off unlogged x' || encode(convert_to(format('%I.%I', n.nspname, c.relname), 'UTF8'), 'hex') || ' x' || :'here'
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relpersistence = 'u' AND c.relkind = 'r' AND pg_relation_size(c.oid) = 0;
SELECT DISTINCT 'off mapping x' || encode(convert_to(s.srvname, 'UTF8'), 'hex') || ' x' || :'here'
  FROM pg_user_mapping u JOIN pg_foreign_server s ON s.oid = u.umserver;
SELECT format('SELECT ''off cron x'' || encode(convert_to(jobid::text, ''UTF8''), ''hex'') || '' x%s'' FROM cron.job WHERE active', :'here')
  FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner WHERE e.extname = 'pg_cron' AND r.rolsuper \gexec
SQL
