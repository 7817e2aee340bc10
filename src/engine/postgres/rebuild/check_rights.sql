-- Checks that no role has more privileges than in the backup, whatever code ran during the restore.
DO $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT a.rolname AS name FROM pg_roles a LEFT JOIN told k ON k.kind = 'role' AND k.v ->> 'name' = a.rolname
            WHERE a.rolname !~ '^pg_' AND a.rolname NOT IN (current_setting('db4sci.admin'), 'db4sci_observer')
              AND (a.rolsuper OR a.rolcreaterole OR a.rolreplication OR (k.v IS NULL AND a.rolname <> current_setting('db4sci.own'))
                   OR (a.rolcreatedb AND NOT coalesce((k.v ->> 'createdb')::boolean, true)) OR (a.rolbypassrls AND NOT coalesce((k.v ->> 'bypassrls')::boolean, false))) LOOP
    RAISE 'After the restore the role % has more privileges than it had in the backup. The backup may come from an attacked server.', r.name;
  END LOOP;
  FOR r IN SELECT o.rolname AS of, m.rolname AS member FROM pg_auth_members a JOIN pg_roles o ON o.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
            WHERE m.rolname !~ '^pg_' AND m.rolname NOT IN (current_setting('db4sci.admin'), 'db4sci_observer')
              AND NOT EXISTS (SELECT FROM told k WHERE k.kind = 'member' AND k.v ->> 'of' = o.rolname AND k.v ->> 'member' = m.rolname) LOOP
    RAISE 'After the restore % is a member of %, but was not in the backup. The backup may come from an attacked server.', r.member, r.of;
  END LOOP;
END $$;
DROP TABLE db4sci.record CASCADE;
SELECT 'db4sci: ' || json_build_object('note', text)::text FROM note;
