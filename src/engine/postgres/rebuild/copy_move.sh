# Moves the table into the database from which it came, into its own schema, in one transaction: all of it or
# nothing. The owner of that database becomes its owner.
edit "$DB4SCI_INTO" -f - <<'SQL'
\getenv schema DB4SCI_SCHEMA
\getenv table DB4SCI_TABLE
\getenv place DB4SCI_PLACE
\getenv token DB4SCI_TOKEN
SELECT format('CREATE SCHEMA IF NOT EXISTS %I', :'place'), format('COMMENT ON SCHEMA %I IS %L', :'place', :'token') \gexec
SELECT format('ALTER TABLE %I.%I SET SCHEMA %I', :'schema', :'table', :'place')
 WHERE EXISTS (SELECT FROM pg_tables WHERE schemaname = :'schema' AND tablename = :'table') \gexec
SQL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A truncated archive is invalid, and nothing of it is restored.
archive() { cat; }
path=
if [ -n "${DB4SCI_TOLD:-}" ]; then
  path=" -c search_path=$(path_of 0)"
  archive() {
    head -c 8388608 >"$work/archive"
    loosened "$work/archive"
    cat "$work/archive" -
  }
fi
{
  PGDATABASE=$DB4SCI_INTO pg_dump --format=custom --compress=0 --no-privileges --schema="$DB4SCI_PLACE" || : >"$work/cut"
} | archive | PGOPTIONS="$PGOPTIONS$path" owner 0 pg_restore --no-owner --no-privileges --single-transaction --exit-on-error --dbname="$(connection "$DB4SCI_DATABASE")"
[ ! -e "$work/cut" ]
