end() {
  client --raw -e "SET SESSION default_master_connection = CONVERT(X'$1' USING utf8mb4); STOP SLAVE; RESET SLAVE ALL;" </dev/null
}
for_each_connection end
