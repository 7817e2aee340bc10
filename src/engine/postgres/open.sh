# A database that is closed to connections, or limits them, is open to the portal while it is dumped. What it was like is
# noted where only the administrator can write, so that it is the same again after a portal that was killed.
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
# Opens $DB4SCI_DATABASE until the script ends, where it is closed.
enter_database() {
  closed=$(ask postgres -f - <<'SQL'
\getenv db DB4SCI_DATABASE
SELECT oid FROM pg_database WHERE datname = :'db' AND (NOT datallowconn OR datconnlimit <> -1);
SQL
)
  [ -z "$closed" ] || { trap "close_databases; ${1:-:}" EXIT; open_database "$closed"; }
}
