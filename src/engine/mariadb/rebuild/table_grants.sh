# Grants the privileges on those tables and routines that exist. Others may not have been selected for the restore.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
client --force 2>"$work/said" || :
# A table, a routine or a database that does not exist; everything else is a fault.
if grep '^ERROR ' "$work/said" | grep -v -E '^ERROR (1049|1141|1146|1147|1305) ' >&2; then exit 1; fi
