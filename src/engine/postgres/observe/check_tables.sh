# Runs the server's own checks, with amcheck if the image has it: every B-tree index against its table, and every heap
# page. Only for a sealed server. The checks run as the observer and never call a function of the owner: an index on an
# expression or on a part of the rows is checked by itself, and not compared with its table.
has=$(ask "$DB4SCI_DATABASE" -c "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck')")
if [ "$has" != t ]; then
  echo 'db4sci: {"note":"The image has no amcheck: indexes were not compared with their tables."}'
  exit 0
fi
# A name that nothing in a backup can have. If it exists nevertheless, this fails.
schema=db4sci_check_$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
administer "$DB4SCI_DATABASE" -v schema="$schema" -f - <<'SQL'
CREATE SCHEMA :"schema";
CREATE EXTENSION amcheck SCHEMA :"schema";
GRANT USAGE ON SCHEMA :"schema" TO db4sci_observer;
SELECT format('GRANT EXECUTE ON FUNCTION %s TO db4sci_observer', p.oid::regprocedure)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = :'schema' \gexec
SQL
ask "$DB4SCI_DATABASE" -v schema="$schema" -f - <<'SQL'
SELECT format('SELECT %I.bt_index_check(%s::oid::regclass, %L::boolean)', :'schema', c.oid,
              i.indexprs IS NULL AND i.indpred IS NULL)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisready AND i.indisvalid
 ORDER BY c.oid \gexec
SELECT format('SELECT ''db4sci: '' || json_build_object(''fault'', format(''%%s, block %%s: %%s'', %L, blkno, msg))::text FROM %I.verify_heapam(%s::oid::regclass)',
              c.oid::regclass::text, :'schema', c.oid)
  FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' ORDER BY c.oid \gexec
SQL
administer "$DB4SCI_DATABASE" -v schema="$schema" -f - <<'SQL'
DROP EXTENSION amcheck;
DROP SCHEMA :"schema";
SQL
