# Opens a session that keeps a snapshot of the database until the script ends, in which no table was replaced while the
# backup began. $snapshot is its name and $large the size of the largest value in it. The definitions are in
# $work/schema, and the session takes statements on descriptor 3.
enter_database finish
mkfifo "$work/in"
PGDATABASE=$DB4SCI_DATABASE psql -X -q -A -t -v ON_ERROR_STOP=1 -v fingerprints="$DB4SCI_FINGERPRINTS" \
  <"$work/in" >"$work/out" 2>"$work/err" &
holder=$!
exec 3>"$work/in"
# Locks are waited for no longer than the portal's setting allows; then this reports who holds them.
failed() {
  cat "$work/words" "$work/err" >&2
  kill -0 "$holder" 2>/dev/null || echo 'The session that held the snapshot ended early.' >&2
  grep -q timeout "$work/messages" || exit 1
  ask "$DB4SCI_DATABASE" -f - <<SQL >&4 || :
$DB4SCI_BLOCKED
SQL
  exit 1
}
: >"$work/words"
printf "SET lock_timeout = '%ss';\n" "$DB4SCI_LOCK_SECONDS" >&3
replaced() { # REPORT SENTENCE: the report, if tables were replaced
  printf '%s\n' "$DB4SCI_REPLACED" | ask "$DB4SCI_DATABASE" -v snapshot="$snapshot" -v report="$1" -v sentence="$2" -f -
}
begun='While the backup began, other sessions emptied, rewrote, renamed or removed %s of the tables: %s.'
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
