# Reports the definitions of one database: its schema as text, and what that does not say.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' "SET search_path = pg_catalog;" "$DB4SCI_MORE" |
  PGDATABASE=$DB4SCI_DATABASE psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -f -
{ PGDATABASE=$DB4SCI_DATABASE pg_dump -U "$DB4SCI_ADMIN" --schema-only || : >"$work/failed"; } | LC_ALL=C sed 's/^/db4sci-sql /'
[ ! -e "$work/failed" ]
