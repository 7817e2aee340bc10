-- The server's own checks, with amcheck where the image has it: every B-tree index against its table, every heap page.
SET statement_timeout = 0;
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck') AS has \gset
\if :has
  CREATE SCHEMA IF NOT EXISTS db4sci_check;
  CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA db4sci_check;
  SELECT format('SELECT db4sci_check.bt_index_check(%s::oid::regclass, true)', c.oid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
   WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisready AND i.indisvalid
   ORDER BY c.oid \gexec
  SELECT format('SELECT ''db4sci: '' || json_build_object(''fault'', format(''%%s, block %%s: %%s'', %L, blkno, msg))::text FROM db4sci_check.verify_heapam(%s::oid::regclass)',
                c.oid::regclass::text, c.oid)
    FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' ORDER BY c.oid \gexec
  DROP EXTENSION amcheck;
  DROP SCHEMA db4sci_check;
\else
  SELECT 'db4sci: ' || json_build_object('note', 'The image has no amcheck: indexes were not compared with their tables.')::text;
\endif
