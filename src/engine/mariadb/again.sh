# Puts back what can be put back of a database, in the owner's session, and tells what can't. A trigger that is there already
# (1359) is no failure: it came back the time before. Of rows no statement is kept: they are all of the data.
DB4SCI_SETTINGS="$DB4SCI_SETTINGS, foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0"
if [ "$DB4SCI_KEPT" = 1 ]; then
  cat >"$work/statements"
  go_on <"$work/statements"
else
  go_on
fi
[ "$DB4SCI_TELL" = 0 ] || tell "$([ "$DB4SCI_KEPT" = 0 ] || echo "$work/statements")" 1359
