# Servers that are older than this account do not have it.
if [ "$(client -e "$DB4SCI_READY" </dev/null 2>/dev/null)" != ready ]; then
  printf '%s\n' "$DB4SCI_OBSERVER" | as "$DB4SCI_ADMIN" "$DB4SCI_ADMIN_PASSWORD"
fi
