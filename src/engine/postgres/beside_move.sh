# Moves the table into the database it came from, into a schema of its own, in one transaction: all of it or nothing. It
# belongs to whom that database belongs to.
PGDATABASE=$DB4SCI_INTO psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -f - <<'SQL'
\getenv schema DB4SCI_SCHEMA
\getenv table DB4SCI_TABLE
\getenv place DB4SCI_PLACE
SELECT format('CREATE SCHEMA IF NOT EXISTS %I', :'place') \gexec
SELECT format('ALTER TABLE %I.%I SET SCHEMA %I', :'schema', :'table', :'place')
 WHERE EXISTS (SELECT FROM pg_tables WHERE schemaname = :'schema' AND tablename = :'table') \gexec
SQL
owner=$(PGDATABASE=$DB4SCI_DATABASE psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -c \
  "SELECT format('SET ROLE %I;', pg_get_userbyid(datdba)) FROM pg_database WHERE datname = current_database()")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without the last line all of it is taken back.
{
  printf 'BEGIN;\n%s\n' "$owner"
  if PGDATABASE=$DB4SCI_INTO pg_dump -U "$DB4SCI_ADMIN" --no-owner --no-privileges --schema="$DB4SCI_PLACE"; then
    printf "\nCOMMENT ON SCHEMA %s IS '%s';\nCOMMIT;\n" "$DB4SCI_PLACE" "$DB4SCI_TOKEN"
  else
    : >"$work/cut"
  fi
} | PGDATABASE=$DB4SCI_DATABASE psql -X -q -v ON_ERROR_STOP=1 -U "$DB4SCI_ADMIN" -f - >/dev/null
[ ! -e "$work/cut" ]
