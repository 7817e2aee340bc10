# Dumps one database. The counting session and the dump both begin their transactions while writes are blocked, so both
# read the same state. A third session blocks writes to tables without transactions until both are done.
trap 'exit 141' PIPE
DB4SCI_SET="$DB4SCI_SET SET @lock_seconds = ${DB4SCI_LOCK_SECONDS:-60};"
# Ends the session that holds the lock, and the others, at once, and not only when it notices that its client is lost.
id=''
trap 'exec 3>&-; [ -z "$id" ] || client -e "KILL $id" >/dev/null 2>&1 || :; finish' EXIT
mkfifo "$work/in"
: >"$work/watched"
: >"$work/dumper"
client --raw <"$work/in" >"$work/out" 2>"$work/err" &
counter=$!
exec 3>"$work/in"
: >"$work/kept"
failed() { cat "$work/err" >&2; grep '^db4sci: {"altered"' "$work/out" >&4 || :; exit 1; }
# TEXT…: for the counting session. If it has ended, its exit code says why, and not the signal for a lost reader.
tell() { (trap '' PIPE; printf '%s\n' "$@" >&3) 2>/dev/null || :; }
# PROCESS FILE WORD: waits for a line that begins with this word; fails if the session has ended
await() {
  until grep -q -e "^$3" "$2"; do
    kill -0 "$1" 2>/dev/null || failed
    sleep 0.02
  done
}
# The server prints names as hexadecimal digits and counts as decimal ones.
hexed() { sed -n "s/^$1 \([0-9A-F]*\)\$/\1/p" "$work/out"; }
# Remarks about partitions outside the data directory. Quoted text in the statement of a table may be anything, so it is
# removed before the search; the table's name comes first, without quotes.
apart() {
  for name in $(hexed parted); do
    echo "SELECT '$name'; EXECUTE IMMEDIATE CONCAT('SHOW CREATE TABLE \`', REPLACE(CONVERT(X'$name' USING utf8mb4), '\`', '\`\`'), '\`');"
  done | client --force --database="$DB4SCI_DATABASE" 2>/dev/null |
    sed -E -e 's/^[^\t]*\t//' -e 's/\\\\/\\/g' -e "s/'([^'\\]|\\\\.)*'|\`[^\`]*\`/'/g" |
    awk '/^[0-9A-F]+$/ { name = $0 } / (DATA|INDEX) DIRECTORY = / { print name }' >"$work/far"
  [ -s "$work/far" ] || return 0
  list=$(sed -e "s/.*/CONVERT(X'&' USING utf8mb4)/" "$work/far" | paste -s -d ,)
  printf '%s\n' "$DB4SCI_SET" "SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('Partitions of these tables of ', @database, ' are outside the data directory, so snapshots and copies do not contain them: ', CONCAT_WS(', ', $list), '. Their rows are in this backup; a restored server stores them in its data directory.')));" | client --raw
}
printf '%s\n' "$DB4SCI_SET" "$DB4SCI_LIST" "$DB4SCI_ALTERED" >&3
printf '%s\n' "$DB4SCI_LOOK" >&3
await "$counter" "$work/out" looked
read -r id keep history <<END
$(sed -n 's/^looked \([0-9]* [01] [01]\)$/\1/p' "$work/out")
END
[ -n "$history" ] || failed
coded=$(hexed coded)
# mariadb-dump would stop at a view that it cannot read. Without --raw the client prints a line end in a name as \n.
for name in $coded $(hexed broken); do echo "SELECT CONVERT(X'$name' USING utf8mb4);"; done | client >"$work/names"
apart >"$work/apart"
set --
while IFS= read -r name; do
  name=$(printf '%b.' "$name")
  set -- "$@" "--ignore-table=$DB4SCI_DATABASE.${name%.}"
done <"$work/names"
[ "$history" = 0 ] || set -- --dump-history "$@"
if [ "$keep" != 0 ]; then
  printf '%s\n' "$DB4SCI_SET SET @holder = $id;" "$DB4SCI_KEEP" >"$work/keep"
  (exec 3>&-; client --raw <"$work/keep" >"$work/kept" 2>>"$work/err") &
  keeper=$!
  await "$keeper" "$work/kept" kept
fi
printf '%s\n' "$DB4SCI_LOCK" >&3
await "$counter" "$work/out" ready
printf '%s\n' "$DB4SCI_BEGUN" >&3
(exec 3>&-; printf '%s\n' "$DB4SCI_SET SET @holder = $id;" "$DB4SCI_WATCH" | client --raw >"$work/watched" 2>/dev/null) &
# Views that call functions come last, after everything that they may need.
views() {
  for name in $coded; do
    echo "EXECUTE IMMEDIATE CONCAT('SHOW CREATE VIEW \`', REPLACE(CONVERT(X'$name' USING utf8mb4), '\`', '\`\`'), '\`');"
  done | client --database="$DB4SCI_DATABASE" >"$work/views" || return
  printf '\nSET @db4sci_mode = @@sql_mode, @db4sci_client = @@character_set_client, @db4sci_collation = @@collation_connection, sql_mode = %s;\n' "''"
  tab=$(printf '\t')
  while IFS=$tab read -r _ create set collation; do
    case $set$collation in *[!a-z0-9_]*) return 1 ;; esac
    printf 'SET character_set_client = %s, collation_connection = %s;\n' "$set" "$collation"
    printf 'CREATE OR REPLACE %b;\n' "${create#CREATE }"
  done <"$work/views"
  printf 'SET sql_mode = @db4sci_mode, character_set_client = @db4sci_client, collation_connection = @db4sci_collation;\n\n-- Dump completed\n'
}
everything() {
  MYSQL_PWD=$DB4SCI_PASSWORD "$DB4SCI_DUMPER" --no-defaults --protocol=tcp --host=127.0.0.1 --skip-ssl --default-character-set=utf8mb4 \
    --user="$DB4SCI_USER" --max-allowed-packet=1G --single-transaction --quick --routines --events --triggers --hex-blob \
    --skip-add-locks "$@" --databases -- "$DB4SCI_DATABASE" 2>"$work/dumper" || return
  [ -z "$coded" ] || views
}
# Compressed outside the container, with a better method and without using the server's own processor time.
# The counting session blocks writes until the dump has begun. A small dump, or one that failed, may be over unnoticed.
let_write() { grep -q '^begun' "$work/out" || client -e "DO GET_LOCK('db4sci.$id', 1), SLEEP(0.1)" >/dev/null 3>&-; }
dumped everything "$@" 3>&- || {
  code=$?
  cat "$work/watched" "$work/dumper" >&2
  # mariadb-dump fails by itself on a table that was altered or dropped in the meantime.
  let_write || :
  tell "EXECUTE altered USING 'after'; EXECUTE whether_altered;"
  exec 3>&-
  wait "$counter" || :
  grep '^db4sci: {"altered"' "$work/out" >&4 || :
  exit "$code"
}
cat "$work/dumper" >&2
let_write
tell "SET @report = 'again';" "$DB4SCI_EXCHANGED" "$DB4SCI_COUNTS" "SET @report = 'inexact';" "$DB4SCI_EXCHANGED"
# While the rows are counted.
DB4SCI_SET="$DB4SCI_SET SET @left_out = '$(hexed broken | tr '\n' ',')';"
defined=0
define_database "$DB4SCI_DEFINE" 3>&- >&4 || defined=$?
tell "EXECUTE altered USING 'after'; EXECUTE whether_altered;" 'COMMIT;'
exec 3>&-
wait "$counter" || { cat "$work/watched" >&2; failed; }
if [ "$keep" != 0 ]; then
  wait "$keeper" || failed
  if grep -q 'gave way' "$work/kept"; then
    echo "A table without transactions was altered while it was dumped." >&2
    exit 1
  fi
fi
cat "$work/out" "$work/kept" "$work/apart" | grep '^db4sci: ' >&4
! grep -q '^db4sci: {"again"' "$work/out" || exit 1
exit "$defined"
