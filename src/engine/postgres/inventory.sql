-- Prints one JSON object: what has to be in a backup of this server, and what to know to restore it elsewhere. Databases that
-- are templates or closed to connections belong to it; one whose removal was cut short can't be read by anybody any more.
-- One in which the portal puts a part together has a role of the portal's; a name like that alone is anybody's.
SELECT json_build_object(
  'version', current_setting('server_version'),
  'databases', (SELECT coalesce(json_agg(datname ORDER BY datname), '[]')
                  FROM pg_database WHERE datconnlimit <> -2 AND datname NOT IN ('postgres', 'template0', 'template1')
                   AND NOT (datname ~ '^db4sci_restore_[0-9a-f]+$' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'db4sci_as_' || substr(datname, 16)))),
  'facts', json_build_object(
    'encodings', (SELECT json_object_agg(datname, json_build_object('encoding', pg_encoding_to_char(encoding), 'collate', datcollate,
                                         'ctype', datctype, 'collation_version', datcollversion) ORDER BY datname)
                    FROM pg_database WHERE datconnlimit <> -2 AND datname NOT IN ('template0', 'template1')),
    'settings', (SELECT json_object_agg(name, setting ORDER BY name)
                   FROM pg_settings WHERE source NOT IN ('default', 'override', 'client') AND context <> 'internal'),
    'data_checksums', current_setting('data_checksums'),
    'block_size', current_setting('block_size')))::text;
