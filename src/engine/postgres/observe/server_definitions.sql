-- Reports what belongs to the whole server, one object per line: roles, memberships, settings, databases, comments.
-- The portal's own objects are left out. Columns that not every version has are read from the row by name.
SELECT 'db4sci: ' || json_build_object('definition', json_build_object('kind', kind, 'name', name, 'text', coalesce(text, '')))::text
  FROM (
    SELECT 'role' AS kind, rolname::text AS name,
           json_build_array(rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit,
                            coalesce(rolvaliduntil::text, 'infinity'), encode(sha256(convert_to(coalesce(rolpassword, ''), 'UTF8')), 'hex'))::text AS text
      FROM pg_authid WHERE rolname !~ '^(pg_|db4sci_)'
    UNION ALL
    SELECT 'membership', format('of %s in %s', m.rolname, r.rolname),
           string_agg(json_build_array(to_jsonb(a) -> 'admin_option', to_jsonb(a) -> 'inherit_option', to_jsonb(a) -> 'set_option')::text, ' '
                      ORDER BY to_jsonb(a)::text)
      FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
     WHERE m.rolname !~ '^(pg_|db4sci_)' AND r.rolname !~ '^db4sci_' GROUP BY m.rolname, r.rolname
    UNION ALL
    SELECT 'setting', format('%s of %s', split_part(c, '=', 1),
                             concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname)), substr(c, strpos(c, '=') + 1)
      FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
           unnest(s.setconfig) AS c
     WHERE coalesce(r.rolname, '') !~ '^db4sci_' AND coalesce(d.datname, '') !~ '^template[01]$'
       AND coalesce(d.oid, 0) NOT IN (SELECT oid FROM db4sci.scratch) AND coalesce(pg_encoding_to_char(d.encoding), '') <> 'MULE_INTERNAL'
       AND coalesce(d.datconnlimit, 0) <> -2
    UNION ALL
    SELECT 'database', d.datname,
           json_build_array(CASE WHEN d.datdba = 10 OR pg_get_userbyid(d.datdba) ~ '^db4sci_' THEN '' ELSE pg_get_userbyid(d.datdba) END,
                            pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, d.datistemplate, d.datallowconn, d.datconnlimit,
                            to_jsonb(d) -> 'datlocprovider', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''),
                            coalesce(to_jsonb(d) ->> 'daticurules', ''))::text
      FROM pg_database d
     WHERE d.datname !~ '^(template[01]|postgres)$' AND d.oid NOT IN (SELECT oid FROM db4sci.scratch)
       AND pg_encoding_to_char(d.encoding) <> 'MULE_INTERNAL' AND d.datconnlimit <> -2
    UNION ALL
    SELECT 'list of grants', 'on database ' || d.datname,
           string_agg(format('%s %s %s', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, x.privilege_type, x.is_grantable),
                      chr(10) ORDER BY x.grantee = 0, pg_get_userbyid(x.grantee)::text COLLATE "C", x.privilege_type COLLATE "C")
      FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
     WHERE d.datname !~ '^(template[01]|postgres)$' AND d.oid NOT IN (SELECT oid FROM db4sci.scratch)
       AND pg_encoding_to_char(d.encoding) <> 'MULE_INTERNAL' AND d.datconnlimit <> -2
       AND pg_get_userbyid(x.grantee) !~ '^db4sci_' GROUP BY d.datname
    UNION ALL
    SELECT 'comment', 'on ' || what || ' ' || name, description
      FROM (SELECT 'database' AS what, datname AS name, shobj_description(oid, 'pg_database') AS description
              FROM pg_database
             WHERE datname !~ '^(template[01]|postgres)$' AND oid NOT IN (SELECT oid FROM db4sci.scratch)
               AND pg_encoding_to_char(encoding) <> 'MULE_INTERNAL' AND datconnlimit <> -2
            UNION ALL
            SELECT 'role', rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname !~ '^(pg_|db4sci_)') o
     WHERE description IS NOT NULL
  ) o ORDER BY kind, name COLLATE "C";
