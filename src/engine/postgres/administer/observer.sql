-- Creates the role with which the portal scans and dumps a server, or repairs it. Runs in the database postgres, where
-- only the administrator can create anything.
\set ON_ERROR_STOP on
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SET client_min_messages = 'error';
\getenv verifier DB4SCI_OBSERVER_VERIFIER
SELECT 'CREATE ROLE db4sci_observer' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'db4sci_observer') \gexec
SELECT format('ALTER ROLE db4sci_observer LOGIN NOSUPERUSER INHERIT NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS CONNECTION LIMIT -1 VALID UNTIL ''infinity'' PASSWORD %L', :'verifier')
  FROM pg_authid
 WHERE rolname = 'db4sci_observer'
   AND NOT (rolcanlogin AND NOT rolsuper AND rolinherit AND NOT rolcreatedb AND NOT rolcreaterole AND NOT rolreplication
            AND rolbypassrls AND rolconnlimit = -1 AND coalesce(rolvaliduntil, 'infinity') = 'infinity'
            AND rolpassword IS NOT DISTINCT FROM :'verifier') \gexec
-- pg_read_all_data does not cover large objects; this setting lets the role read them.
SELECT 'ALTER ROLE db4sci_observer RESET ALL', 'ALTER ROLE db4sci_observer SET lo_compat_privileges = on'
 WHERE NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = 'db4sci_observer'::regrole AND setdatabase = 0
                      AND setconfig = '{lo_compat_privileges=on}') \gexec
SELECT format('ALTER ROLE db4sci_observer IN DATABASE %I RESET ALL', d.datname)
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole = 'db4sci_observer'::regrole \gexec
-- The role is a member of these two roles only, and no role is a member of it.
SELECT format('REVOKE %I FROM %I%s CASCADE', r.rolname, m.rolname,
              CASE WHEN current_setting('server_version_num')::int >= 160000 THEN format(' GRANTED BY %I', pg_get_userbyid(a.grantor)) ELSE '' END)
  FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE r.rolname = 'db4sci_observer' OR (m.rolname = 'db4sci_observer' AND r.rolname NOT IN ('pg_read_all_data', 'pg_monitor')) \gexec
SELECT format('GRANT %I TO db4sci_observer', wanted) FROM unnest('{pg_read_all_data,pg_monitor}'::text[]) AS wanted
 WHERE NOT EXISTS (SELECT FROM pg_auth_members a WHERE a.member = 'db4sci_observer'::regrole AND a.roleid = wanted::regrole) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO db4sci_observer', datname) FROM pg_database
 WHERE datconnlimit <> -2 AND NOT has_database_privilege('db4sci_observer', oid, 'CONNECT') \gexec
-- Here the portal records which databases it has opened, and which it has made for itself. No other role has any privileges here.
CREATE SCHEMA IF NOT EXISTS db4sci;
CREATE TABLE IF NOT EXISTS db4sci.scratch (oid oid PRIMARY KEY);
DELETE FROM db4sci.scratch s WHERE NOT EXISTS (SELECT FROM pg_database d WHERE d.oid = s.oid);
CREATE TABLE IF NOT EXISTS db4sci.opened (oid oid PRIMARY KEY, allowed boolean NOT NULL, most int NOT NULL);
