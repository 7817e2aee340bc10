# Makes one database that is put back. An earlier attempt may have left a part of it, so it is made anew, as it was made.
set -eu
quiet() { psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -d postgres "$@"; }
quiet -f - <<'SQL'
\getenv db DB4SCI_DATABASE
CREATE TEMP TABLE old AS
  SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS enc, datcollate, datctype, datacl
    FROM pg_database WHERE datname = :'db';
CREATE TEMP TABLE settings AS
  SELECT r.rolname, c FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS c WHERE d.datname = :'db';
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'db') \gexec
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', :'db', owner, enc, datcollate, datctype) FROM old \gexec
SELECT format('CREATE DATABASE %I TEMPLATE template0', :'db') WHERE NOT EXISTS (SELECT FROM old) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'db') FROM old WHERE datacl IS NOT NULL \gexec
SELECT format('GRANT %s ON DATABASE %I TO %s', x.privilege_type, :'db', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
  FROM old CROSS JOIN LATERAL aclexplode(datacl) x \gexec
SELECT CASE WHEN rolname IS NULL THEN format('ALTER DATABASE %I', :'db') ELSE format('ALTER ROLE %I IN DATABASE %I', rolname, :'db') END ||
       format(' SET %I TO %L', split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)) FROM settings \gexec
SQL
