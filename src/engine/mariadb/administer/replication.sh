# Runs a command for each connection from which a copy of another database's data would replicate, with its name in
# hexadecimal digits. A connection may have no name.
for_each_connection() {
  connections=$(client -e 'SHOW ALL SLAVES STATUS')
  [ -n "$connections" ] || return 0
  printf '%s\n' "$connections" | cut -f 1 | while IFS= read -r name; do
    "$@" "$(printf %s "$name" | od -An -tx1 | tr -d ' \n')"
  done
}
