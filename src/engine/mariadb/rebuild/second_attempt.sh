# Restores what can be restored of a database, in the owner's session, and reports what cannot. A trigger that exists
# already (1359) is not a failure: the previous attempt restored it. Statements that insert rows are not kept, because
# they contain all of the data.
DB4SCI_SETTINGS="$DB4SCI_SETTINGS, foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0"
if [ "$DB4SCI_KEPT" = 1 ]; then
  cat >"$work/statements"
  go_on <"$work/statements"
else
  go_on
fi
[ "$DB4SCI_TELL" = 0 ] || tell "$([ "$DB4SCI_KEPT" = 0 ] || echo "$work/statements")" 1359
