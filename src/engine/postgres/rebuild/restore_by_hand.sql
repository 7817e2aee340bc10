SET client_min_messages = 'error';
CREATE SCHEMA IF NOT EXISTS db4sci;
DROP TABLE IF EXISTS db4sci.record;
CREATE TABLE db4sci.record (n int GENERATED ALWAYS AS IDENTITY, line jsonb NOT NULL);
\copy db4sci.record (line) FROM 'roles.json' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
SELECT format('CREATE ROLE %I', line #>> '{role,name}') FROM db4sci.record
 WHERE line ? 'role' AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = line #>> '{role,name}') ORDER BY n \gexec
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', d ->> 'name', coalesce(d ->> 'owner', current_user),
              d ->> 'encoding', d ->> 'collate', d ->> 'ctype') ||
       CASE d ->> 'provider'
         WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', d ->> 'locale') || CASE WHEN d ->> 'rules' IS NOT NULL THEN format(' ICU_RULES %L', d ->> 'rules') ELSE '' END
         WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', d ->> 'locale')
         ELSE '' END
  FROM (SELECT n, line -> 'database' AS d FROM db4sci.record WHERE line ? 'database') AS x ORDER BY n \gexec
