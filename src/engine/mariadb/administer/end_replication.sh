# Removes the connections from which a copy of another database's data would replicate, with or without a name.
client -e 'SHOW ALL SLAVES STATUS' | cut -f 1 | while IFS= read -r name; do
  hex=$(printf %s "$name" | od -An -tx1 | tr -d ' \n')
  printf 'off replica x%s x\n' "$hex"
  client --raw -e "SET SESSION default_master_connection = CONVERT(X'$hex' USING utf8mb4); STOP SLAVE; RESET SLAVE ALL;" </dev/null
done
