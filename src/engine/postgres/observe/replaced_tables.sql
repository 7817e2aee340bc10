-- Reports the tables whose names no longer stand for the files they had in the snapshot. TRUNCATE and most kinds of ALTER
-- TABLE replace the file of a table, and renaming puts another table in its place. To an older snapshot the new file is
-- empty, or lacks rows. The dump reads tables by name, so it would lose those rows.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT :'snapshot';
SELECT 'db4sci: ' || json_build_object(:'report', format(:'sentence', count(*), left(string_agg(format('%I.%I', n.nspname, c.relname), ', '), 500)))::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.relfilenode <> 0 AND pg_relation_filenode(to_regclass(format('%I.%I', n.nspname, c.relname))) IS DISTINCT FROM c.relfilenode
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT @OF_EXTENSION@
HAVING count(*) > 0;
COMMIT;
