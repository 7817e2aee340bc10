-- Creates the empty database :db with the encoding and the collations of the database :from. The administrator creates
-- extensions in it, so until then it belongs to the administrator, and only the role of the restore can connect: its later
-- owner could otherwise prepare objects that the script of an extension runs.
\getenv lent DB4SCI_LENT
SELECT format('CREATE DATABASE %I TEMPLATE template0 ALLOW_CONNECTIONS false ENCODING %L LC_COLLATE %L LC_CTYPE %L', :'db',
              pg_encoding_to_char(encoding), datcollate, datctype) ||
       CASE datlocprovider
         WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j ->> 'datlocale', j ->> 'daticulocale')) || CASE WHEN j ->> 'daticurules' IS NOT NULL THEN format(' ICU_RULES %L', j ->> 'daticurules') ELSE '' END
         WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j ->> 'datlocale')
         ELSE '' END
  FROM pg_database d, to_jsonb(d) AS j WHERE datname = :'from' \gexec
SELECT format('CREATE DATABASE %I TEMPLATE template0 ALLOW_CONNECTIONS false', :'db')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
\getenv token DB4SCI_TOKEN
SELECT format('COMMENT ON DATABASE %I IS %L', :'db', :'token') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'db'), format('GRANT CONNECT ON DATABASE %I TO %I', :'db', :'lent'),
       format('GRANT CREATE, TEMPORARY ON DATABASE %I TO %I', :'db', o.rolname), format('ALTER DATABASE %I ALLOW_CONNECTIONS true', :'db')
  FROM pg_auth_members a JOIN pg_roles o ON o.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname = :'lent' LIMIT 1 \gexec
