# Creates one database for a restore with its original options. An earlier attempt may have left a part of it, so it is
# dropped first.
administer postgres -f - <<'SQL'
SET client_min_messages = 'error';
\getenv db DB4SCI_DATABASE
\getenv own DB4SCI_USER
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname = :'db' AND datistemplate \gexec
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'db') \gexec
CREATE TEMP TABLE wanted AS SELECT line -> 'database' AS d FROM db4sci.record WHERE line #>> '{database,name}' = :'db' LIMIT 1;
INSERT INTO wanted SELECT '{}' WHERE NOT EXISTS (SELECT FROM wanted);
-- A database of the administrator belongs to the user until it is restored: nothing in it may run with other privileges.
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', :'db', coalesce(d ->> 'owner', :'own')) ||
       CASE WHEN d ? 'encoding' THEN format(' ENCODING %L LC_COLLATE %L LC_CTYPE %L', d ->> 'encoding', d ->> 'collate', d ->> 'ctype') ELSE '' END ||
       CASE d ->> 'provider'
         WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', d ->> 'locale') || CASE WHEN d ->> 'rules' IS NOT NULL THEN format(' ICU_RULES %L', d ->> 'rules') ELSE '' END
         WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', d ->> 'locale')
         ELSE '' END
  FROM wanted \gexec
SQL
