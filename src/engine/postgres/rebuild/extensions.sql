-- Prints who creates which extension in a database that is being restored: 0 for the administrator, or a role, and the
-- statement. The administrator creates its own extensions, while the database is still empty. The shell reads one
-- statement per line, so a line break in a name is written as an escape: otherwise the rest of the name would run as a
-- statement of the administrator.
\getenv db DB4SCI_DATABASE
\getenv known DB4SCI_KNOWN
CREATE FUNCTION pg_temp.quoted(name text) RETURNS text LANGUAGE sql RETURN
  'U&"' || replace(replace(replace(replace(name, '"', '""'), '\', '\\'), chr(10), '\000a'), chr(13), '\000d') || '"';
CREATE FUNCTION pg_temp.literal(value text) RETURNS text LANGUAGE sql RETURN
  coalesce('U&''' || replace(replace(replace(replace(value, '''', ''''''), '\', '\\'), chr(10), '\000a'), chr(13), '\000d') || '''', 'NULL');
CREATE TEMP TABLE toc (line text);
@TOC@CREATE TEMP TABLE inside AS SELECT line -> 'inside' AS i FROM db4sci.record WHERE line #>> '{inside,database}' = :'db' LIMIT 1;
SELECT 0, CASE WHEN i ->> 'public' IS NULL THEN 'DROP SCHEMA public' ELSE 'ALTER SCHEMA public OWNER TO ' || pg_temp.quoted(i ->> 'public') END
  FROM inside WHERE i ->> 'public' IS DISTINCT FROM 'pg_database_owner'
   AND (i ->> 'public' IS NULL OR EXISTS (SELECT FROM pg_roles WHERE rolname = i ->> 'public' AND NOT rolsuper));
SELECT coalesce((SELECT r.oid FROM pg_roles r WHERE r.rolname = e ->> 'owner' AND NOT r.rolsuper), 0),
       format('CREATE EXTENSION IF NOT EXISTS %s SCHEMA %s', pg_temp.quoted(e ->> 'name'), pg_temp.quoted(e ->> 'schema'))
  FROM inside, jsonb_array_elements(i -> 'extensions') WITH ORDINALITY AS x (e, n) ORDER BY n;
-- An extension comes with a comment, which its owner may have changed.
SELECT coalesce((SELECT r.oid FROM pg_roles r WHERE r.rolname = e ->> 'owner' AND NOT r.rolsuper), 0),
       format('COMMENT ON EXTENSION %s IS %s', pg_temp.quoted(e ->> 'name'), pg_temp.literal(e ->> 'comment'))
  FROM inside, jsonb_array_elements(i -> 'extensions') WITH ORDINALITY AS x (e, n) WHERE e ? 'comment' ORDER BY n;
-- For a backup from before this was recorded: only what the table of contents shows.
SELECT CASE WHEN bool_or(v.trusted) THEN (SELECT datdba FROM pg_database WHERE datname = :'db') ELSE 0 END,
       format('CREATE EXTENSION IF NOT EXISTS %s SCHEMA public', pg_temp.quoted(v.name))
  FROM toc JOIN pg_available_extension_versions v ON line ~ '^\d+; 3079 \d+ EXTENSION - ' AND v.name = regexp_replace(line, '^\d+; 3079 \d+ EXTENSION - (.*) $', '\1')
 WHERE NOT EXISTS (SELECT FROM inside) AND v.name <> 'plpgsql'
 GROUP BY v.name HAVING bool_or(v.trusted) OR v.name = ANY (string_to_array(:'known', ' ')) ORDER BY v.name;
