# A database that is closed to connections, or limits them, is opened for the portal while it is dumped. Its previous
# state is recorded where only the administrator can write, so that it can be reset even after the portal was killed.
open_database() { # OID
  administer postgres -v oid="$1" -f - <<'SQL'
BEGIN;
INSERT INTO db4sci.opened SELECT oid, datallowconn, datconnlimit FROM pg_database
 WHERE oid = :'oid' AND (NOT datallowconn OR datconnlimit <> -1) ON CONFLICT DO NOTHING;
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname), format('ALTER DATABASE %I CONNECTION LIMIT -1', datname)
  FROM pg_database WHERE oid = :'oid' \gexec
COMMIT;
SQL
}
close_databases() {
  administer postgres -f - <<'SQL'
BEGIN;
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS %s', d.datname, o.allowed::text), format('ALTER DATABASE %I CONNECTION LIMIT %s', d.datname, o.most)
  FROM db4sci.opened o JOIN pg_database d ON d.oid = o.oid \gexec
DELETE FROM db4sci.opened;
COMMIT;
SQL
}
# Opens $DB4SCI_DATABASE, if it is closed, until the script ends. A database in SQL_ASCII stores bytes that may be no text
# in UTF-8: its sessions get them as they are.
enter_database() {
  closed=$(ask postgres -f - <<'SQL'
\getenv db DB4SCI_DATABASE
SELECT CASE WHEN NOT datallowconn OR datconnlimit <> -1 THEN oid END, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = :'db';
SQL
)
  [ "${closed#*|}" != SQL_ASCII ] || export PGCLIENTENCODING=SQL_ASCII
  closed=${closed%%|*}
  [ -z "$closed" ] || { trap "close_databases || :; ${1:-:}" EXIT; open_database "$closed"; }
}
