# Dumps one database, counts it, and records what is defined in it, all in the same snapshot, which a session keeps open
# until all are done.
enter_database finish
mkfifo "$work/in"
PGDATABASE=$DB4SCI_DATABASE psql -X -q -A -t -v ON_ERROR_STOP=1 -v fingerprints="$DB4SCI_FINGERPRINTS" \
  <"$work/in" >"$work/out" 2>"$work/err" &
holder=$!
exec 3>"$work/in"
# Locks are waited for no longer than the portal's setting allows; then this reports who holds them.
failed() {
  LC_ALL=C sed 's/^db4sci/ &/' "$work/words" "$work/err" >&2
  kill -0 "$holder" 2>/dev/null || echo 'The session that held the snapshot ended early.' >&2
  grep -q timeout "$work/words" "$work/err" || exit 1
  ask "$DB4SCI_DATABASE" -f - <<SQL >&2 || :
$DB4SCI_BLOCKED
SQL
  exit 1
}
: >"$work/words"
printf "SET lock_timeout = '%ss';\n" "$DB4SCI_LOCK_SECONDS" >&3
# TRUNCATE and most kinds of ALTER TABLE replace the file of a table. To an older snapshot the new file is empty, or
# lacks rows, so a dump that has waited for such a statement would lose them. This names the tables whose file is no
# longer the one in the snapshot.
replaced() { # REPORT SENTENCE
  ask "$DB4SCI_DATABASE" -v snapshot="$snapshot" -v report="$1" -v sentence="$2" -f - <<'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT :'snapshot';
SELECT 'db4sci: ' || json_build_object(:'report', format(:'sentence', count(*), left(string_agg(format('%I.%I', n.nspname, c.relname), ', '), 500)))::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.relfilenode <> 0 AND pg_relation_filenode(c.oid) <> c.relfilenode
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_roles r ON r.oid = c.relowner
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' AND r.rolsuper)
HAVING count(*) > 0;
COMMIT;
SQL
}
begun='While the backup began, other sessions emptied or rewrote %s of the tables: %s.'
attempt=0
while :; do
  attempt=$((attempt + 1))
  printf '%s\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;' "SELECT pg_export_snapshot(), ($DB4SCI_LARGEST);" >&3
  until [ "$(wc -l <"$work/out")" -ge "$attempt" ]; do
    kill -0 "$holder" 2>/dev/null || failed
    sleep 0.02
  done
  sed -n "${attempt}p" "$work/out" >"$work/begun"
  IFS='|' read -r snapshot large <"$work/begun"
  # Before the dump, not in parallel: each of the two locks every table, and a server has room for a limited number of
  # locks.
  PGDATABASE=$DB4SCI_DATABASE pg_dump --schema-only --lock-wait-timeout="${DB4SCI_LOCK_SECONDS}s" --snapshot="$snapshot" \
    >"$work/schema" 2>"$work/words" 3>&- || failed
  again=$(replaced again "$begun" 2>"$work/words" 3>&-) || failed
  # After five attempts, it depends on what is replaced until the rows are dumped.
  [ -n "$again" ] && [ "$attempt" -lt 5 ] || break
  printf 'ROLLBACK;\n' >&3
done
# Counted during the dump: what one of the two has read is cached for the other. The snapshot lasts until both are done.
printf '%s\n' "$DB4SCI_REMARKS" "$DB4SCI_MORE" "$DB4SCI_COUNTS" >&3
printf '\\! : >"%s/counted"\n' "$work" >&3
counted() { # INTERVAL: waits until all is counted; fails if the session has ended
  until [ -e "$work/counted" ]; do
    kill -0 "$holder" 2>/dev/null || return
    sleep "$1"
  done
}
# A value that takes a twentieth of the memory would be too large for both at once: each makes several copies of it.
[ "$large" -le $((DB4SCI_MEMORY / 20)) ] || counted 0.1 || failed
# When pg_dump begins to write, it has locked all tables until it ends: what has not been replaced by then is whole.
rows() {
  { code=0; "$@" || code=$?; echo "$code" >"$work/rows"; } | {
    dd bs=1 count=1 of="$work/first" 2>/dev/null
    replaced again "$begun" >"$work/again" 2>"$work/unasked" || : >"$work/lost"
    cat "$work/first" -
  }
  read -r code <"$work/rows"
  return "$code"
}
# Compressed outside the container, with a better method and without using the server's own processor time.
PGDATABASE=$DB4SCI_DATABASE dumped rows said pg_dump --format=custom --compress=0 \
  --lock-wait-timeout="${DB4SCI_LOCK_SECONDS}s" --snapshot="$snapshot" || failed
if [ -e "$work/lost" ]; then
  # Usually the session with the snapshot has ended.
  exec 3>&-
  wait "$holder" || :
  holder=''
  cat "$work/unasked" >"$work/words"
  failed
fi
[ ! -s "$work/again" ] || { cat "$work/again" >&2; exit 1; }
# If the session has ended with an error, it has reported that.
if counted 0.05; then
  replaced inexact 'While the rows were counted, other sessions emptied or rewrote %s of the tables: %s. All rows are in the dump, but these may be counted differently.' >&2 3>&- || failed
fi
trap '' PIPE
printf 'COMMIT;\n' 2>/dev/null >&3 || :
exec 3>&-
wait "$holder" || { holder=''; failed; }
holder=''
sed "1,${attempt}d" "$work/out" >&2
LC_ALL=C sed 's/^/db4sci-sql /' "$work/schema" >&2
