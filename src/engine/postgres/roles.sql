-- Prints statements that bring back the roles and databases of this server in one that may have some of them. The
-- portal's own role is left out: a restored server has one of its own. Quoted by the server's own format(): names
-- within \gexec are texts of the statements it runs.
SET search_path = pg_catalog;
SELECT format('SELECT %L WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %L) \gexec', format('CREATE ROLE %I', rolname), rolname)
  FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> current_user ORDER BY rolname;
SELECT format('ALTER ROLE %I %s %s %s %s %s %s %s CONNECTION LIMIT %s PASSWORD %s VALID UNTIL %L;', a.rolname,
         CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END, CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
         CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
         CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END, CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
         CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END, rolconnlimit, quote_nullable(rolpassword),
         coalesce(rolvaliduntil, 'infinity'))
  FROM pg_authid a WHERE rolname !~ '^pg_' AND rolname <> current_user ORDER BY rolname;
SELECT format('GRANT %I TO %I%s;', r.rolname, m.rolname, CASE WHEN a.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END)
  FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname <> current_user AND m.rolname !~ '^pg_' ORDER BY 1;
SELECT format('SELECT %L WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = %L) \gexec',
         format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', d.datname,
                CASE WHEN r.rolname = current_user THEN 'postgres' ELSE r.rolname END, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype),
         d.datname)
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
 WHERE d.datallowconn AND NOT d.datistemplate AND d.datname <> 'postgres' AND r.rolname <> current_user ORDER BY d.datname;
SELECT format('SELECT %L WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = %L) \gexec',
         format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', d.datname,
                pg_encoding_to_char(d.encoding), d.datcollate, d.datctype),
         d.datname)
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
 WHERE d.datallowconn AND NOT d.datistemplate AND d.datname <> 'postgres' AND r.rolname = current_user ORDER BY d.datname;
-- Who may connect to a database: all that was granted, in the order in which it was.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', datname)
  FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' AND datacl IS NOT NULL ORDER BY datname;
SELECT format('GRANT %s ON DATABASE %I TO %s%s;', x.privilege_type, d.datname,
         CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
         CASE WHEN x.is_grantable AND x.grantee <> 0 THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) x
 WHERE d.datallowconn AND NOT d.datistemplate AND d.datname <> 'postgres' AND d.datacl IS NOT NULL
   AND pg_get_userbyid(x.grantee) <> current_user ORDER BY d.datname, 1;
SELECT CASE
         WHEN s.setrole = 0 THEN format('ALTER DATABASE %I', d.datname)
         WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I', r.rolname)
         ELSE format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname)
       END || format(' SET %I TO %s;', split_part(c, '=', 1),
                     CASE WHEN split_part(c, '=', 1) IN ('search_path', 'DateStyle', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries')
                          THEN substr(c, strpos(c, '=') + 1) ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
  FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
       unnest(s.setconfig) AS c
 WHERE coalesce(r.rolname, '') <> current_user ORDER BY 1;
SELECT '-- end of roles and databases';
