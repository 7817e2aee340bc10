# Brings what belongs to the whole server, as JSON lines on standard input, into a new server: records it where only
# the administrator can write, and creates the roles. They get their original attributes after all data is restored.
# Until then each can sign in only with the password of this restore, because each owner's session restores its own
# data.
administer postgres -f /dev/fd/3 3<<'SQL'
SET client_min_messages = 'error';
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\getenv password DB4SCI_OWNER_VERIFIER
DROP TABLE IF EXISTS db4sci.record;
CREATE TABLE db4sci.record (n int GENERATED ALWAYS AS IDENTITY, line jsonb NOT NULL);
\copy db4sci.record (line) FROM pstdin WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
SELECT format('CREATE ROLE %I', line #>> '{role,name}') FROM db4sci.record
 WHERE line ? 'role' AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = line #>> '{role,name}') ORDER BY n \gexec
SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER INHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1%s PASSWORD %L',
              a.rolname, CASE WHEN a.rolvaliduntil IS NOT NULL THEN ' VALID UNTIL ''infinity''' ELSE '' END, :'password')
  FROM db4sci.record JOIN pg_roles a ON a.rolname = line #>> '{role,name}' ORDER BY n \gexec
SQL
