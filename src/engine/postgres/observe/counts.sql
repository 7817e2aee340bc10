-- Reports the content of a database, one JSON line per relation, or of one table only (DB4SCI_ONLY). With the session's
-- settings the text of a row is the same for every client. The output functions of its types turn a row into text: a
-- cast could run the owner's code.
\set only ''
\getenv only DB4SCI_ONLY
-- To count a table, the server evaluates functions with constant arguments in its indexes and statistics, which are its
-- owner's. The transaction is read-only, and what such a function sets is undone after each table. That also releases the
-- table's lock: many thousands would exceed the server's lock table. A listed table may have been replaced by its owner's view by the time it is read;
-- this setting refuses that. Servers of older versions do not have it.
SELECT (SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind') AS set \gset ignored_
SAVEPOINT db4sci;
-- A restore creates the inherited columns of a table first, in the order of its parents, wherever they were before: this is
-- the place of each column in a table that inherits.
WITH RECURSIVE place (relation, name, place) AS (
  SELECT a.attrelid, a.attname, ARRAY[1, a.attnum::int] FROM pg_attribute a
   WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
     AND EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                  WHERE a.attrelid IN (i.inhparent, i.inhrelid) AND NOT c.relispartition)
     AND a.attgenerated <> 'v'
  UNION ALL
  SELECT i.inhrelid, p.name, ARRAY[0, i.inhseqno] || p.place
    FROM place p JOIN pg_inherits i ON i.inhparent = p.relation JOIN pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition),
heir (relation, columns) AS (
  SELECT relation, string_agg(format('db4sci_row.%I', name), ', ' ORDER BY first)
    FROM (SELECT relation, name, min(place) AS first FROM place GROUP BY relation, name) p
   WHERE relation IN (SELECT i.inhrelid FROM pg_inherits i) GROUP BY relation),
-- A virtual column is computed when it is read, which may fail, and its value is in no dump.
computed (relation, columns) AS (
  SELECT attrelid, coalesce(string_agg(format('db4sci_row.%I', attname), ', ' ORDER BY attnum) FILTER (WHERE attgenerated <> 'v'), '')
    FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped GROUP BY attrelid HAVING bool_or(attgenerated = 'v')),
-- pg_dump distributes the rows of such a table anew, because the hash of an enum differs in another server.
spread (relation) AS (
  SELECT partrelid FROM pg_partitioned_table
   WHERE partstrat = 'h' AND (SELECT o.oid FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
                               WHERE m.amname = 'hash' AND o.opcname = 'enum_ops' AND o.opcnamespace = 'pg_catalog'::regnamespace) = ANY (partclass))
-- The sum of the rows' hashes does not depend on their order, and an added pair does not cancel out as with xor.
SELECT format(
         'SELECT ''db4sci: '' || json_build_object(''count'', json_build_object(''database'', current_database(), ''kind'', %L, ''name'', %L, ''rows'', count(*)%s))::text FROM %s %I.%I AS db4sci_row',
         -- A restore recomputes materialized views from the current data.
         CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'table' END, format('%I.%I', n.nspname, c.relname),
         CASE WHEN :'fingerprints' = '1' AND c.relkind <> 'm'
              THEN format(', ''fingerprint'', coalesce(sum(hashtextextended(pg_catalog.textin(pg_catalog.record_out(%s)) COLLATE "C", 0)::numeric), 0)::text',
                          coalesce((SELECT 'ROW(' || columns || ')' FROM heir WHERE relation = c.oid),
                                   (SELECT 'ROW(' || columns || ')' FROM computed WHERE relation = c.oid), 'db4sci_row.*')) ELSE '' END,
         CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY' END, n.nspname, c.relname),
       'ROLLBACK TO SAVEPOINT db4sci'
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.relkind IN ('r', 'm') OR c.relkind = 'p' AND c.oid IN (SELECT relation FROM spread))
   AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS a WHERE a <> c.oid AND a IN (SELECT relation FROM spread))
   AND c.relpersistence = 'p' AND c.relispopulated
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
   AND :'only' IN ('', format('%I.%I', n.nspname, c.relname))
   -- Objects that come with an extension are not in a dump. A table that its owner has made a member of one is not either, so it is
   -- counted: a test restore then names it.
   AND NOT @OF_EXTENSION@
 ORDER BY n.nspname, c.relname \gexec
SELECT 'db4sci: ' || json_build_object('count', json_build_object('database', current_database(), 'kind', 'object', 'name', what, 'rows', n))::text
  -- The number of sequences, not their values: those belong to no snapshot.
  FROM (SELECT 'sequence' AS what, count(*) AS n FROM pg_sequences
        UNION ALL
        SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' ELSE 'partitioned table' END, count(*)
          FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
         WHERE c.relkind IN ('v', 'i', 'p') AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname !~ '^pg_' GROUP BY 1
        UNION ALL
        SELECT 'constraint', count(*) FROM pg_constraint c JOIN pg_namespace s ON s.oid = c.connamespace
         -- Since version 18 NOT NULL is a constraint too: counted there, it would differ from a backup of 17.
         WHERE c.contype <> 'n' AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname !~ '^pg_'
        UNION ALL
        SELECT 'trigger', count(*) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL
        SELECT 'function', count(*) FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
         WHERE s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname !~ '^pg_'
        UNION ALL
        SELECT 'extension', count(*) FROM pg_extension) o ORDER BY what;
-- Large objects are not relations. They are read in pieces, because one may be longer than any value can be. The
-- observer may read them all by a setting of its role; pg_read_all_data does not cover them.
SELECT :'fingerprints' = '1' AND :'only' = '' AS hashed \gset
\if :hashed
WITH RECURSIVE piece (oid, at, size, hash) AS (
  SELECT m.oid, 0::bigint, p.size, p.hash
    FROM pg_largeobject_metadata m
         CROSS JOIN LATERAL (SELECT length(d) AS size, sha256(d) AS hash FROM (SELECT lo_get(m.oid, 0, 1048576) AS d OFFSET 0) g) p
  UNION ALL
  SELECT w.oid, w.at + 1048576, p.size, p.hash
    FROM piece w
         CROSS JOIN LATERAL (SELECT length(d) AS size, sha256(d) AS hash FROM (SELECT lo_get(w.oid, w.at + 1048576, 1048576) AS d OFFSET 0) g) p
   WHERE w.size = 1048576)
SELECT 'db4sci: ' || json_build_object('count', json_build_object('database', current_database(), 'kind', 'object', 'name', 'large object',
         'rows', count(*) FILTER (WHERE at = 0),
         'fingerprint', coalesce(sum(hashtextextended(format('%s %s %s', oid, at, encode(hash, 'hex')) COLLATE "C", 0)::numeric), 0)::text))::text
  FROM piece;
\else
SELECT 'db4sci: ' || json_build_object('count', json_build_object('database', current_database(), 'kind', 'object', 'name', 'large object', 'rows', count(*)))::text
  FROM pg_largeobject_metadata;
\endif
