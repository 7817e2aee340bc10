# Dumps one database, counts it, and records what is defined in it, all in the snapshot of the session before, which lasts
# until all are done.
# Counted during the dump: what one of the two has read is cached for the other.
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
PGDATABASE=$DB4SCI_DATABASE dumped rows pg_dump --format=custom --compress=0 \
  --lock-wait-timeout="${DB4SCI_LOCK_SECONDS}s" --snapshot="$snapshot" || failed
if [ -e "$work/lost" ]; then
  # Usually the session with the snapshot has ended.
  exec 3>&-
  wait "$holder" || :
  holder=''
  cat "$work/unasked" >"$work/words"
  failed
fi
[ ! -s "$work/again" ] || { cat "$work/again" >&4; exit 1; }
# If the session has ended with an error, it has reported that.
if counted 0.05; then
  replaced inexact 'While the rows were counted, other sessions emptied, rewrote, renamed or removed %s of the tables: %s. All rows are in the dump, but these may be counted differently.' >&4 3>&- || failed
fi
trap '' PIPE
printf 'COMMIT;\n' 2>/dev/null >&3 || :
exec 3>&-
wait "$holder" || { holder=''; failed; }
holder=''
sed "1,${attempt}d" "$work/out" >&4
LC_ALL=C sed 's/^/db4sci-sql /' "$work/schema" >&4
