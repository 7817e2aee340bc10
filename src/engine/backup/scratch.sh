# Prints a new directory for files as large as the data: on the disk of the data if the container has such a place, so that
# they cannot fill the disk of the container engine. What killed scripts left there is removed.
scratch() {
  place=/db4sci-scratch
  [ -w "$place" ] || place=${TMPDIR:-/tmp}
  for left in "$place"/db4sci.*; do
    maker=${left##*/db4sci.}
    [ -e "/proc/${maker%%.*}" ] || rm -rf "$left" 2>/dev/null || :
  done
  mktemp -d "$place/db4sci.$$.XXXXXX"
}
