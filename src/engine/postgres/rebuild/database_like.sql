-- Creates the empty database :db with the owner, the encoding and the collations of the database :from. The owner is
-- :own if it would be a superuser.
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', :'db',
              CASE WHEN r.rolsuper THEN :'own' ELSE r.rolname END, pg_encoding_to_char(encoding), datcollate, datctype) ||
       CASE datlocprovider
         WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j ->> 'datlocale', j ->> 'daticulocale')) || CASE WHEN j ->> 'daticurules' IS NOT NULL THEN format(' ICU_RULES %L', j ->> 'daticurules') ELSE '' END
         WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j ->> 'datlocale')
         ELSE '' END
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba, to_jsonb(d) AS j WHERE datname = :'from' \gexec
