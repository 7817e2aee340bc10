-- Prints remarks about objects in tablespaces, which are always outside the data directory.
SELECT 'db4sci: ' || pg_catalog.json_build_object('note', pg_catalog.format(
         'In %s these lie in tablespaces outside the data directory, where snapshots and copies of the stopped server don''t reach: %s. Their rows are in this backup; a restored server keeps them inside.',
         pg_catalog.current_database(), pg_catalog.string_agg(f.what, ', ' ORDER BY f.what)))
  FROM (SELECT pg_catalog.format('%I.%I (%I)', n.nspname, c.relname, t.spcname) AS what
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
         WHERE t.spcname NOT IN ('pg_default', 'pg_global') AND c.relkind IN ('r', 'm', 'i')
        UNION ALL
        SELECT pg_catalog.format('the whole database (%I)', t.spcname)
          FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
         WHERE d.datname = pg_catalog.current_database() AND t.spcname NOT IN ('pg_default', 'pg_global')
         LIMIT 50) f
HAVING pg_catalog.count(*) > 0;
