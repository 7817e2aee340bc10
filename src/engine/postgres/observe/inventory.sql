-- Prints one JSON object: what a backup of this server has to contain, and what a restore elsewhere has to know. This
-- includes databases that are templates or closed to connections, but not one whose removal was interrupted or whose
-- encoding no client program can convert (MULE_INTERNAL): they cannot be read. A database in which the portal assembles a part is left out; it is known by its oid, because
-- anyone can use its name.
SELECT json_build_object(
  'version', current_setting('server_version'),
  'databases', (SELECT coalesce(json_agg(datname ORDER BY datname), '[]')
                  FROM pg_database WHERE datconnlimit <> -2 AND datname NOT IN ('postgres', 'template0', 'template1')
                   AND pg_encoding_to_char(encoding) <> 'MULE_INTERNAL'
                   AND oid NOT IN (SELECT oid FROM db4sci.scratch)),
  'facts', json_build_object(
    'encodings', (SELECT json_object_agg(datname, json_build_object('encoding', pg_encoding_to_char(encoding), 'collate', datcollate,
                                         'ctype', datctype, 'collation_version', datcollversion) ORDER BY datname)
                    FROM pg_database WHERE datconnlimit <> -2 AND datname NOT IN ('template0', 'template1')),
    'settings', (SELECT json_object_agg(name, setting ORDER BY name)
                   FROM pg_settings WHERE source NOT IN ('default', 'override', 'client') AND context <> 'internal'),
    'data_checksums', current_setting('data_checksums'),
    'block_size', current_setting('block_size')))::text;
