# The second pass for one table: restores its rows and the values of its sequences, in a session of its owner. Its own
# triggers and policies are off, because they are meant for later rows.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
edit "$DB4SCI_INTO" -f - <<'SQL' >"$work/wanted"
\getenv schema DB4SCI_SCHEMA
\getenv table DB4SCI_TABLE
SELECT c.oid, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :'schema' AND c.relname = :'table';
SQL
IFS='|' read -r wanted role <"$work/wanted"
after=$(edit "$DB4SCI_INTO" -v wanted="$wanted" -f - <<'SQL'
SELECT format('ALTER TABLE %s ENABLE %s TRIGGER %I;', tgrelid::regclass, CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname)
  FROM pg_trigger WHERE tgrelid = :wanted AND NOT tgisinternal AND tgenabled <> 'D' AND tgparentid = 0;
SELECT format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', oid::regclass) FROM pg_class WHERE oid = :wanted AND relforcerowsecurity;
SELECT format('ALTER TABLE %s DISABLE TRIGGER USER', oid::regclass), format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', oid::regclass)
  FROM pg_class WHERE oid = :wanted \gexec
SQL
)
set --
for sequence in $(edit "$DB4SCI_INTO" -v wanted="$wanted" -f - <<'SQL'
SELECT s.oid FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
 WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = :wanted AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i');
SQL
); do
  # The sentinel keeps line breaks at the end of a name.
  space=$(edit "$DB4SCI_INTO" -c "SELECT n.nspname || '.' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $sequence")
  name=$(edit "$DB4SCI_INTO" -c "SELECT relname || '.' FROM pg_class WHERE oid = $sequence")
  set -- "$@" --schema="${space%.}" --table="${name%.}"
done
archive() { cat; }
if [ -n "${DB4SCI_TOLD:-}" ]; then
  head -c 8388608 >"$work/archive"
  loosened "$work/archive"
  archive() { cat "$work/archive" -; }
  PGOPTIONS="$PGOPTIONS -c search_path=$(path_of "$role")"
  export PGOPTIONS
fi
archive | settled "$role" pg_restore --no-owner --exit-on-error --data-only --schema="$DB4SCI_SCHEMA" --table="$DB4SCI_TABLE" "$@" \
  --dbname="$(connection "$DB4SCI_INTO")"
[ -z "$after" ] || edit "$DB4SCI_INTO" -c "$after"
cat >/dev/null
