# Keeps a copy of another database's data from writing to other servers. All statements change catalogs only: no code of an owner
# runs.
administer postgres -f - <<'SQL'
SET log_statement = 'none';
\getenv admin DB4SCI_ADMIN
-- Only the portal's own roles keep their passwords; the owner's is set later.
SELECT format('ALTER ROLE %I PASSWORD NULL', rolname) FROM pg_authid
 WHERE rolpassword IS NOT NULL AND rolname NOT IN (:'admin', 'db4sci_observer') \gexec
-- A slot would keep log files for a consumer that does not know this copy.
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active;
SQL
in_each_database <<'SQL'
SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname), format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname)
  FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec
-- A user mapping contains the password for the other server.
SELECT format('DROP USER MAPPING FOR %s SERVER %I', CASE WHEN u.umuser = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(u.umuser)) END, s.srvname)
  FROM pg_user_mapping u JOIN pg_foreign_server s ON s.oid = u.umserver \gexec
SELECT 'UPDATE cron.job SET active = false'
  FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner WHERE e.extname = 'pg_cron' AND r.rolsuper \gexec
SQL
