# The beginning of every dump script, run by sh. `dumped` hashes the output of the program at its source, before
# anything can be lost in transit: an exit code does not distinguish a truncated stream from a complete one.
set -eu
umask 077
work=$(mktemp -d)
# Descriptor 4 is for reports to the portal. Standard error is for people: names in it, which users choose, may look like
# reports, so it is passed on at the end, when no line of it begins like one.
exec 4>&2 2>"$work/messages"
# However this ends, it waits for all of its children: those left behind would become children of the container's first
# process. That is the server, and PostgreSQL takes a child that fails or is ended by a signal for a crash of one of its
# own processes: it ends all sessions.
holder=''
finish() {
  exec 3>&-
  [ -z "$holder" ] || kill -s INT "$holder" 2>/dev/null || :
  wait
  LC_ALL=C sed 's/^db4sci/ &/' "$work/messages" >&4 || :
  rm -rf "$work" "/tmp/db4sci-dump-$DB4SCI_RUN.pid"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP
# If the portal aborts its request, the program keeps running without a reader. The portal finds it again by this file.
echo $$ >"/tmp/db4sci-dump-$DB4SCI_RUN.pid"

json() { # TEXT: as a JSON string without its quotes
  printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | tr '\n\r\t' '   '
}
dumped() { # COMMAND…: passes its output to standard output and reports its checksum
  mkfifo "$work/hash"
  sha256sum <"$work/hash" >"$work/sha256" &
  hash=$!
  { trap : TERM INT HUP; code=0; "$@" || code=$?; echo "$code" >"$work/code"; } | tee "$work/hash"
  wait "$hash"
  read -r code <"$work/code"
  read -r sha256 _ <"$work/sha256"
  printf 'db4sci: {"sum":{"code":%s,"sha256":"%s"}}\n' "$code" "$sha256" >&4
  [ "$code" = 0 ]
}
