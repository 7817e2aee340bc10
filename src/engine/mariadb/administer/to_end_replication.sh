found() {
  printf 'off replica x%s x\n' "$1"
}
for_each_connection found
