# Gives the rights on single tables and routines where those are there. Not there may be what was not wanted of a backup.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
client --force 2>"$work/said" || :
# A table, a routine or a database that does not exist; everything else is a fault.
if grep '^ERROR ' "$work/said" | grep -v -E '^ERROR (1049|1141|1146|1147|1305) ' >&2; then exit 1; fi
