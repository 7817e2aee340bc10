-- Makes the user's role and database, or brings an earlier half-made attempt to the same end.
-- Values come by environment and are quoted by the server's own format(), so no name and no password can break
-- out. Neither the statements nor a failure of them reach the server's log, which its owner can read.
\set ON_ERROR_STOP on
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\getenv dbuser DB4SCI_USER
\getenv dbname DB4SCI_DATABASE
\getenv password DB4SCI_USER_PASSWORD
\getenv extensions DB4SCI_EXTENSIONS
\getenv own DB4SCI_OWN_PASSWORD
\if :{?own}
-- The administrator still has the password of the data that this server began with.
SELECT format('ALTER ROLE CURRENT_USER PASSWORD %L', :'own') \gexec
\endif
SELECT format('CREATE ROLE %I', :'dbuser')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'dbuser') \gexec
SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L',
              :'dbuser', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'dbname', :'dbuser')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'dbname') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'dbname') \gexec
\connect :"dbname"
-- What the server trusts users with belongs to the user, who can then drop and update it.
SELECT CASE WHEN bool_or(v.trusted) THEN format('SET ROLE %I', :'dbuser') ELSE 'RESET ROLE' END,
       format('CREATE EXTENSION IF NOT EXISTS %I', e),
       'RESET ROLE'
  FROM string_to_table(:'extensions', ' ') AS e LEFT JOIN pg_available_extension_versions v ON v.name = e
 WHERE e <> '' GROUP BY e ORDER BY e \gexec
