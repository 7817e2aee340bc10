# Prints statements that restore users and roles ("who") or, once the databases exist, the privileges on single tables and
# routines ("what"). The portal's own administrator and the accounts of the image are left out, because a restored
# server has its own. Each line of the client is a complete statement here, because it prints a line end as \n.
trap 'exit 141' PIPE
[ "$DB4SCI_WANTED" = who ] && wanted='' || wanted=-v
statements() {
  # Each command checks its own result: inside `dumped`, which tests the exit code, the shell continues after errors.
  client --raw -e "$DB4SCI_SET $DB4SCI_ACCOUNTS" >"$work/ask" || return
  client <"$work/ask" >"$work/said" || return
  wide='^(DROP |CREATE |SET DEFAULT ROLE |GRANT `([^`]|``)+` TO |GRANT [A-Z ,]+ ON (\*\.\*|`([^`]|``)+`\.\*) TO )'
  grep -E $wanted -e "$wide" "$work/said" >"$work/chosen" || [ $? = 1 ] || return
  echo "SET SESSION sql_mode = '';"
  while IFS= read -r line; do printf '%b;\n' "$line"; done <"$work/chosen"
  echo "-- end of users and roles"
}
dumped statements
[ "$DB4SCI_WANTED" != who ] || define_server "$DB4SCI_DEFINE" >&4
