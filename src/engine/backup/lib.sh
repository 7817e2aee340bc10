# The beginning of every dump script, run by sh. What `dumped` sums is what the program printed, before anything could
# get lost on its way out: a stream that ends early can't be told from a whole one by an exit code.
set -eu
umask 077
work=$(mktemp -d)
# A portal that ends its request lets the program go on, with nobody to read it: it is found again by this file.
echo $$ >"/tmp/db4sci-dump-$DB4SCI_RUN.pid"
trap 'rm -rf "$work" "/tmp/db4sci-dump-$DB4SCI_RUN.pid"' EXIT
# Ended from outside, all of the group are, and each shell here stays until its own children are gone: an orphan that a
# signal ended goes to the container's first process. That is the server, and PostgreSQL takes it for a crash of its own.
trap 'wait; exit 143' TERM INT HUP

json() { # TEXT: as a JSON string without its quotes
  printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | tr '\n\r\t' '   '
}
said() { # COMMAND…: what it says is for people, and no report, whatever names it repeats look like
  said_code=0
  "$@" 2>"$work/said" || said_code=$?
  LC_ALL=C sed 's/^db4sci/ &/' "$work/said" >&2
  return "$said_code"
}
dumped() { # COMMAND…: its output goes to standard output, its sum is reported
  mkfifo "$work/hash"
  sha256sum <"$work/hash" >"$work/sha256" &
  hash=$!
  { trap : TERM INT HUP; code=0; "$@" || code=$?; echo "$code" >"$work/code"; } | tee "$work/hash"
  wait "$hash"
  read -r code <"$work/code"
  read -r sha256 _ <"$work/sha256"
  printf 'db4sci: {"sum":{"code":%s,"sha256":"%s"}}\n' "$code" "$sha256" >&2
  [ "$code" = 0 ]
}
