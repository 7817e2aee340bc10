-- Reports what the schema of a database does not contain: the owners of its extensions and large objects.
SELECT 'db4sci: ' || json_build_object('definition', json_build_object('database', current_database(), 'kind', 'owner of extension',
         'name', e.extname, 'text', CASE WHEN r.rolname ~ '^db4sci_' THEN '' ELSE r.rolname END))::text
  FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
 WHERE e.extname NOT IN ('plpgsql', 'amcheck') ORDER BY e.extname;
SELECT 'db4sci: ' || json_build_object('definition', json_build_object('database', current_database(), 'kind', 'owners of', 'name', 'large objects',
         'sha256', encode(sha256(convert_to(coalesce(string_agg(format('%s %I %s', m.oid, pg_get_userbyid(m.lomowner),
           -- The default rights of a new object are left out.
           CASE WHEN m.lomacl <@ acldefault('L', m.lomowner) AND m.lomacl @> acldefault('L', m.lomowner) THEN NULL ELSE m.lomacl END), chr(10) ORDER BY m.oid), ''), 'UTF8')), 'hex')))::text
  FROM pg_largeobject_metadata m HAVING count(*) > 0;
