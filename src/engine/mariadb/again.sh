# Puts back what can be put back, in the owner's session, and tells what can't. A trigger that is there already (1359) is no
# failure: it came back the time before.
DB4SCI_SETTINGS="$DB4SCI_SETTINGS, foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
client --force 2>"$work/said" || [ -s "$work/said" ]
# Without the server, room or the right to sign in, going on makes no sense.
if grep -E '^ERROR (2[0-9]{3}|1021|1040|1045|1053|1114|1317) ' "$work/said" >&2; then exit 1; fi
[ "$DB4SCI_TELL" = 1 ] || exit 0
grep '^ERROR ' "$work/said" | grep -v '^ERROR 1359 ' | head -n 50 | cut -c 1-1000 | sed -e 's/[[:cntrl:]]/ /g' -e 's/\\/\\\\/g' -e 's/"/\\"/g' \
  -e "s/^ERROR \([0-9]*\) ([0-9A-Z]*) at line [0-9]*: \(.*\)/db4sci: {\"note\":\"Not rebuilt in this database (error \1): \2\"}/" | grep '^db4sci: ' || :
