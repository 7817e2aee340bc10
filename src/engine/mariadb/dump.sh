# Dumps one database. A session that counts begins its transaction while nobody can write, and so does the dump: both
# read the same moment. Tables without transactions are kept still by a third session until both are done.
trap 'exit 141' PIPE
# The session that holds the lock ends at once, not when it has found that nobody listens.
id=''
trap '[ -z "$id" ] || client -e "KILL $id" >/dev/null 2>&1 || :; rm -rf "$work" "/tmp/db4sci-dump-$DB4SCI_RUN.pid"' EXIT
mkfifo "$work/in"
client --raw <"$work/in" >"$work/out" 2>"$work/err" &
holder=$!
exec 3>"$work/in"
: >"$work/kept"
failed() { cat "$work/err" >&2; exit 1; }
# PROCESS FILE WORD: waits for a line that begins so, from a session that has to live
await() {
  until grep -q -e "^$3" "$2"; do
    kill -0 "$1" 2>/dev/null || failed
    sleep 0.02
  done
}
printf '%s\n' "$DB4SCI_SET" "$DB4SCI_LIST" >&3
printf '%s\n' "$DB4SCI_LOOK" >&3
await "$holder" "$work/out" looked
# What leads nowhere would end the dump.
sed -n 's/^broken //p' "$work/out" >"$work/broken"
set --
while IFS= read -r view; do set -- "$@" "--ignore-table=$DB4SCI_DATABASE.$view"; done <"$work/broken"

read -r id keep history <<EOF
$(sed -n 's/^looked //p' "$work/out")
EOF
[ "$history" = 0 ] || set -- --dump-history "$@"
if [ "$keep" != 0 ]; then
  printf '%s\n' "$DB4SCI_SET SET @holder = $id;" "$DB4SCI_KEEP" >"$work/keep"
  (exec 3>&-; client --raw <"$work/keep" >"$work/kept" 2>>"$work/err") &
  keeper=$!
  await "$keeper" "$work/kept" kept
fi
printf '%s\n' "$DB4SCI_LOCK" >&3
await "$holder" "$work/out" ready
printf '%s\n' "$DB4SCI_BEGUN" >&3
# Compressed outside, where it is not at the cost of the server's own processor time and with a better method.
dumped "$DB4SCI_DUMPER" --no-defaults --protocol=tcp --host=127.0.0.1 --skip-ssl --default-character-set=utf8mb4 --user="$DB4SCI_ADMIN" \
  --max-allowed-packet=1G --single-transaction --quick --routines --events --triggers --hex-blob "$@" --databases -- "$DB4SCI_DATABASE" 3>&-
# One so small may have gone by unseen.
grep -q '^begun' "$work/out" || client -e "DO GET_LOCK('db4sci.$id', 1), SLEEP(0.1)" >/dev/null 3>&-
printf '%s\nCOMMIT;\n' "$DB4SCI_COUNTS" >&3
exec 3>&-
wait "$holder" || failed
if [ "$keep" != 0 ]; then
  wait "$keeper" || failed
  if grep -q 'gave way' "$work/kept"; then
    echo "A table without transactions was altered while it was dumped." >&2
    exit 1
  fi
fi
cat "$work/out" "$work/kept" | grep '^db4sci: ' >&2
