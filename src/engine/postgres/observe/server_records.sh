# Prints what belongs to the whole server as JSON lines: roles, memberships, databases, settings, and which
# extensions the databases have. Prints values, never statements: the restore creates those, quoted by the server that
# runs them. The portal's own roles are left out, because a restored server has its own. Inside `dumped` an error does
# not end the function, so each command returns on failure.
records() {
  # An earlier dump may have been killed, and left a database open.
  close_databases || return 1
  PGDATABASE=postgres psql -X -q -A -t -v ON_ERROR_STOP=1 -f - <<'SQL' || return 1
\getenv admin DB4SCI_ADMIN
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT jsonb_build_object('role', jsonb_build_object(
         'name', rolname, 'superuser', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole, 'createdb', rolcreatedb,
         'login', rolcanlogin, 'replication', rolreplication, 'bypassrls', rolbypassrls, 'limit', rolconnlimit,
         'password', rolpassword, 'until', rolvaliduntil::text, 'comment', shobj_description(oid, 'pg_authid')))
  FROM pg_authid
 WHERE rolname !~ '^pg_' AND rolname NOT IN (:'admin', 'db4sci_observer') AND rolname !~ '^db4sci_as_[0-9a-f]+$' ORDER BY rolname;
SELECT jsonb_build_object('member', jsonb_build_object(
         'of', r.rolname, 'member', m.rolname, 'admin', a.admin_option,
         'inherit', to_jsonb(a) -> 'inherit_option', 'set', to_jsonb(a) -> 'set_option'))
  FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname !~ '^pg_' AND m.rolname NOT IN (:'admin', 'db4sci_observer') AND m.rolname !~ '^db4sci_as_[0-9a-f]+$'
 ORDER BY r.rolname, m.rolname;
SELECT jsonb_build_object('database', jsonb_build_object(
         'name', d.datname, 'owner', nullif(r.rolname, :'admin'), 'encoding', pg_encoding_to_char(d.encoding),
         'provider', d.datlocprovider, 'collate', d.datcollate, 'ctype', d.datctype,
         'locale', coalesce(j ->> 'datlocale', j ->> 'daticulocale'), 'rules', j ->> 'daticurules',
         'limit', d.datconnlimit, 'template', d.datistemplate, 'connections', d.datallowconn,
         'comment', shobj_description(d.oid, 'pg_database'),
         'acl', CASE WHEN d.datacl IS NOT NULL THEN
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('privilege', x.privilege_type, 'grantable', x.is_grantable,
                                     'grantee', CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee) END)), '[]')
                     FROM aclexplode(d.datacl) x
                    WHERE x.grantee = 0 OR pg_get_userbyid(x.grantee) NOT IN (:'admin', 'db4sci_observer')) END))
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba, to_jsonb(d) AS j
 WHERE d.datconnlimit <> -2 AND d.datname NOT IN ('postgres', 'template0', 'template1')
   AND pg_encoding_to_char(d.encoding) <> 'MULE_INTERNAL' AND d.oid NOT IN (SELECT oid FROM db4sci.scratch)
 ORDER BY d.datname;
SELECT jsonb_build_object('setting', jsonb_build_object(
         'database', d.datname, 'role', r.rolname, 'name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1)))
  FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
       unnest(s.setconfig) AS c
 WHERE coalesce(r.rolname, '') NOT IN (:'admin', 'db4sci_observer')
   AND coalesce(d.datname, '') NOT IN ('template0', 'template1') AND coalesce(d.datconnlimit, 0) <> -2 ORDER BY s.setdatabase, s.setrole, c;
-- What is defined for the whole server, in the same snapshot; this is not part of the dump.
\o |cat >&4
@GLOBALS@\o
COMMIT;
SQL
  ask postgres -c "SELECT oid, datallowconn AND datconnlimit = -1 FROM pg_database
     WHERE datconnlimit <> -2 AND datname NOT IN ('postgres', 'template0', 'template1')
       AND pg_encoding_to_char(encoding) <> 'MULE_INTERNAL' AND oid NOT IN (SELECT oid FROM db4sci.scratch)
     ORDER BY datname" >"$work/databases" || return 1
  while IFS='|' read -r oid open; do
    [ "$open" = t ] || open_database "$oid" || return 1
    name=$(ask postgres -c "SELECT datname || '.' FROM pg_database WHERE oid = $oid") || return 1
    PGDATABASE=${name%.} psql -X -q -A -t -v ON_ERROR_STOP=1 -f - <<'SQL' || return 1
\getenv admin DB4SCI_ADMIN
SELECT jsonb_build_object('inside', jsonb_build_object('database', current_database(),
         'public', (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'),
         'extensions', (SELECT coalesce(jsonb_agg(jsonb_build_object(
             'name', e.extname, 'schema', n.nspname, 'owner', nullif(pg_get_userbyid(e.extowner), :'admin'),
             'comment', obj_description(e.oid, 'pg_extension')) ORDER BY e.oid), '[]')
           FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql')));
SQL
    [ "$open" = t ] || close_databases || return 1
  done <"$work/databases"
  ask postgres -c "SELECT 'db4sci: ' || json_build_object('note', format('The database %s was left out: its removal was interrupted, and the server does not allow connections to it.', datname))
     FROM pg_database WHERE datconnlimit = -2" >&4 || return 1
  ask postgres -c "SELECT 'db4sci: ' || json_build_object('note', format('The database %s was left out: its encoding is MULE_INTERNAL, which cannot be converted to UTF-8. Copy its content to a database in another encoding.', datname))
     FROM pg_database WHERE pg_encoding_to_char(encoding) = 'MULE_INTERNAL'" >&4 || return 1
  for database in $(ask postgres -c "SELECT datname FROM pg_database WHERE datname IN ('postgres', 'template1') AND datallowconn"); do
    ask "$database" -c "SELECT 'db4sci: ' || json_build_object('note', format('The database %s is the server''s own, and no backup contains its large objects: %s. Create them in another database.', current_database(), count(*)))
       FROM pg_largeobject_metadata HAVING count(*) > 0" >&4 || return 1
  done
  ask postgres -c "SELECT 'db4sci: ' || json_build_object('note', format('The settings for the database %s were left out, because it is the server''s own.', d.datname))
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname IN ('template0', 'template1') GROUP BY 1" >&4 || return 1
  echo '{"end":true}'
}
dumped records
