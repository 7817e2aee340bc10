# Reports a fault for each role that has privileges on the whole server, and for each object or setting that would run
# with the rights of the portal's own roles, in their sessions, or in the server itself. Reads catalogs only.
gained() {
  administer postgres -f - <<'SQL'
\getenv admin DB4SCI_ADMIN
SELECT 'db4sci: ' || json_build_object('fault', format('The role %s has privileges on the whole server.', rolname))::text FROM pg_roles
 WHERE (rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls AND rolname <> 'db4sci_observer') AND rolname <> :'admin';
SELECT 'db4sci: ' || json_build_object('fault', format('The role %s is a member of %s.', m.rolname, r.rolname))::text
  FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname !~ '^pg_' AND m.rolname NOT IN (:'admin', 'db4sci_observer')
   AND (r.rolname IN (:'admin', 'db4sci_observer', 'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
                      'pg_create_subscription') OR r.rolsuper);
-- Only a superuser can write this file, which the server reads after the portal's own.
SELECT 'db4sci: ' || json_build_object('fault', format('The file postgresql.auto.conf sets %s.', string_agg(DISTINCT name, ', ')))::text
  FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' HAVING count(*) > 0;
SELECT 'db4sci: ' || json_build_object('fault', format('Roles that are not superusers may set %s.', string_agg(parname, ', ' ORDER BY parname)))::text
  FROM pg_parameter_acl HAVING count(*) > 0;
SELECT 'db4sci: ' || json_build_object('fault', format('A role or a database has the setting %s, which only a superuser can change.', s.name))::text
  FROM pg_db_role_setting d LEFT JOIN pg_roles r ON r.oid = d.setrole, unnest(d.setconfig) AS c
  JOIN pg_settings s ON s.name = lower(split_part(c, '=', 1)) AND s.context <> 'user'
 WHERE coalesce(r.rolname, '') NOT IN (:'admin', 'db4sci_observer');
SQL
  in_each_database <<'SQL'
\getenv admin DB4SCI_ADMIN
SELECT 'db4sci: ' || json_build_object('fault', format('In the database %s, %s %s belongs to a role of the portal.', current_database(), what, name))::text
  FROM (SELECT 'pg_proc'::regclass AS class, oid, proowner AS owner, pronamespace AS space, 'the function' AS what, proname AS name FROM pg_proc
        UNION ALL
        SELECT 'pg_class'::regclass, oid, relowner, relnamespace, 'the relation', relname FROM pg_class
         WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't') o
 -- Objects of the server itself have lower numbers.
 WHERE oid >= 16384 AND owner IN (SELECT r.oid FROM pg_roles r WHERE rolname IN (:'admin', 'db4sci_observer'))
   AND space <> coalesce((SELECT n.oid FROM pg_namespace n WHERE nspname = 'db4sci' AND current_database() = 'postgres'), 0)
   -- Members of extensions, and the constructors that the server itself makes for range types.
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i'));
-- Such a function is code in the server's own process. Only a superuser can create one.
SELECT 'db4sci: ' || json_build_object('fault', format('In the database %s, the function %s is written in %s, which only a superuser may use.', current_database(), proname, lanname))::text
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 -- An aggregate has no code.
 WHERE NOT l.lanpltrusted AND p.prokind <> 'a' AND p.oid >= 16384
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'));
SELECT 'db4sci: ' || json_build_object('fault', format('In the database %s, the event trigger %s runs in the sessions of others.', current_database(), evtname))::text
  FROM pg_event_trigger t WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e');
SQL
}
