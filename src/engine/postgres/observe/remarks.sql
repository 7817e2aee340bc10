-- Prints remarks about what a restore or a copy does not reproduce.
-- Objects in tablespaces are always outside the data directory.
SELECT 'db4sci: ' || pg_catalog.json_build_object('note', pg_catalog.format(
         'In %s these are in tablespaces outside the data directory, so snapshots and copies of the stopped server do not contain them: %s. Their rows are in this backup; a restored server stores them in its data directory.',
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
-- Only a superuser reads these.
SELECT 'db4sci: ' || pg_catalog.json_build_object('note', pg_catalog.format(
         'In %s the options of these user mappings (users and passwords of other servers) are not in the backup, only the mappings: %s. Set them again after a restore.',
         pg_catalog.current_database(), pg_catalog.string_agg(f.what, ', ' ORDER BY f.what)))
  FROM (SELECT pg_catalog.format('%I on %I', usename, srvname) AS what FROM pg_catalog.pg_user_mappings LIMIT 50) f
HAVING pg_catalog.count(*) > 0;
SELECT 'db4sci: ' || pg_catalog.json_build_object('note', pg_catalog.format(
         'In %s these subscriptions are not in the backup: %s. Create them again after a restore.',
         pg_catalog.current_database(), pg_catalog.string_agg(f.what, ', ' ORDER BY f.what)))
  FROM (SELECT pg_catalog.quote_ident(subname) AS what FROM pg_catalog.pg_subscription
         WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) LIMIT 50) f
HAVING pg_catalog.count(*) > 0;
-- Only an administrator can insert such rows, for example further coordinate systems, so no role of a backup can restore
-- them. The extension's own condition says which rows it does not bring itself.
SELECT pg_catalog.format('SELECT ''db4sci: '' || pg_catalog.json_build_object(''note'', pg_catalog.format(%L, pg_catalog.current_database(), pg_catalog.count(*))) FROM %I.%I %s HAVING pg_catalog.count(*) > 0',
         pg_catalog.format('In %%s the table %s of the extension %s has rows of its own that a restore leaves out: %%s. Insert them again as the administrator.',
                           pg_catalog.replace(pg_catalog.format('%I.%I', n.nspname, c.relname), '%', '%%'), pg_catalog.replace(e.extname, '%', '%%')),
         n.nspname, c.relname, e.extcondition[t.n])
  FROM pg_catalog.pg_extension e CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) WITH ORDINALITY AS t (oid, n)
  JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
 WHERE c.relkind = 'r' AND r.rolsuper \gexec
-- pg_dump computes no materialized view that reads, however indirectly, one without data.
WITH RECURSIVE reading (reader, read) AS (
  SELECT r.ev_class, d.refobjid
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
   WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class),
stale (oid) AS (
  SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'm' AND NOT relispopulated
  UNION
  SELECT reader FROM reading JOIN stale ON stale.oid = reading.read)
SELECT 'db4sci: ' || pg_catalog.json_build_object('note', pg_catalog.format(
         'In %s a restore does not fill these materialized views, because they read other materialized views without data: %s. After a restore, refresh the others first.',
         pg_catalog.current_database(), pg_catalog.string_agg(f.what, ', ' ORDER BY f.what)))
  FROM (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS what
          FROM stale JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'm' AND c.relispopulated LIMIT 50) f
HAVING pg_catalog.count(*) > 0;
