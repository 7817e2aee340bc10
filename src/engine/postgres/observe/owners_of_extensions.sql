-- Reports what the schema of a database does not contain: the owners of its extensions and large objects, and what an
-- owner has added to an extension, which no dump contains.
SELECT 'db4sci: ' || json_build_object('definition', json_build_object('database', current_database(), 'kind', 'owner of extension',
         'name', e.extname, 'text', CASE WHEN r.rolname ~ '^db4sci_' THEN '' ELSE r.rolname END))::text
  FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
 WHERE e.extname NOT IN ('plpgsql', 'amcheck') ORDER BY e.extname;
SELECT 'db4sci: ' || json_build_object('definition', json_build_object('database', current_database(), 'kind', 'extension ' || e.extname || '''s',
         'name', pg_describe_object(d.classid, d.objid, 0), 'text', ''))::text
  FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
 WHERE d.deptype = 'e'
   -- What the extension brought belongs to a superuser, mostly to the first one, about whom nothing is recorded.
   AND EXISTS (SELECT FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
                WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.refclassid = 'pg_authid'::regclass
                  AND s.deptype = 'o' AND NOT r.rolsuper
                  AND (s.classid = d.classid AND s.objid = d.objid
                       -- A cast belongs to the owner of either type.
                       OR s.classid = 'pg_type'::regclass AND d.classid = 'pg_cast'::regclass
                          AND EXISTS (SELECT FROM pg_cast c WHERE c.oid = d.objid AND s.objid IN (c.castsource, c.casttarget))))
 ORDER BY 1;
SELECT 'db4sci: ' || json_build_object('definition', json_build_object('database', current_database(), 'kind', 'owners of', 'name', 'large objects',
         'sha256', encode(sha256(convert_to(coalesce(string_agg(format('%s %I %s', m.oid, pg_get_userbyid(m.lomowner),
           -- The default privileges of a new object are left out.
           CASE WHEN m.lomacl <@ acldefault('L', m.lomowner) AND m.lomacl @> acldefault('L', m.lomowner) THEN NULL ELSE m.lomacl END), chr(10) ORDER BY m.oid), ''), 'UTF8')), 'hex')))::text
  FROM pg_largeobject_metadata m HAVING count(*) > 0;
