-- Reports the tables whose file is no longer the one in the snapshot. TRUNCATE and most kinds of ALTER TABLE replace the
-- file of a table. To an older snapshot the new file is empty, or lacks rows, so a dump that has waited for such a
-- statement would lose them.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT :'snapshot';
SELECT 'db4sci: ' || json_build_object(:'report', format(:'sentence', count(*), left(string_agg(format('%I.%I', n.nspname, c.relname), ', '), 500)))::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.relfilenode <> 0 AND pg_relation_filenode(c.oid) <> c.relfilenode
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT @OF_EXTENSION@
HAVING count(*) > 0;
COMMIT;
