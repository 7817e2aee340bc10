# The second pass for one table: its rows, and where the sequences stand that belong to it.
sequences=$(PGDATABASE=$DB4SCI_INTO psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -f - <<'SQL'
\getenv schema DB4SCI_SCHEMA
\getenv table DB4SCI_TABLE
-- As words for the shell: within quotes, and a quote as itself.
SELECT format('--schema=''%s'' --table=''%s''', replace(sn.nspname, '''', '''\'''''), replace(s.relname, '''', '''\'''''))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
 WHERE n.nspname = :'schema' AND c.relname = :'table';
SQL
)
eval "set -- $(printf '%s' "$sequences" | tr '\n' ' ')"
pg_restore -U "$DB4SCI_ADMIN" --exit-on-error --data-only --disable-triggers --schema="$DB4SCI_SCHEMA" --table="$DB4SCI_TABLE" "$@" \
  --dbname="$(connection "$DB4SCI_INTO")"
cat >/dev/null
