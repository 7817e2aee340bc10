# Reports the definitions of one database: its schema as text, and what the schema does not contain.
work=$(mktemp -d)
enter_database 'rm -rf "$work"'
[ -n "$closed" ] || trap 'rm -rf "$work"' EXIT
printf '%s\n' "$DB4SCI_MORE" | ask "$DB4SCI_DATABASE" -f -
{ PGDATABASE=$DB4SCI_DATABASE pg_dump --schema-only || : >"$work/failed"; } | LC_ALL=C sed 's/^/db4sci-sql /'
[ ! -e "$work/failed" ]
