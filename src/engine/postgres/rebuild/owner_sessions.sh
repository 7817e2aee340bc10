# In a new server every role signs in as itself while data is restored.
owner() { # OID COMMAND…: runs the command in a session of that role
  role=$(administer postgres -c "SELECT rolname || '.' FROM pg_roles WHERE oid = $1" </dev/null)
  shift
  PGUSER=${role%.} PGPASSWORD=$DB4SCI_OWNER_PASSWORD PGOPTIONS="$PGOPTIONS -c default_transaction_read_only=off" "$@"
}
# Definitions are changed in sessions of a role that is a member of all roles of the backup and has no other privileges:
# whoever changes a table can run its owner's code. The end of the restore removes the role.
employ() {
  administer postgres -f - <<'SQL'
SET client_min_messages = 'error';
\getenv password DB4SCI_OWNER_VERIFIER
SELECT 'CREATE ROLE db4sci_editor' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'db4sci_editor') \gexec
SELECT format('ALTER ROLE db4sci_editor LOGIN NOSUPERUSER INHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L', :'password') \gexec
SELECT format('GRANT %I TO db4sci_editor', rolname) FROM pg_roles
 WHERE NOT rolsuper AND rolname !~ '^pg_' AND rolname NOT IN ('db4sci_observer', 'db4sci_editor') \gexec
SQL
}
dismiss() { # DATABASE: what code of an owner created in those sessions becomes the owner's
  administer "$1" -f - <<'SQL'
\getenv own DB4SCI_USER
SELECT format('REASSIGN OWNED BY db4sci_editor TO %I', CASE WHEN r.rolsuper THEN :'own' ELSE r.rolname END), 'DROP OWNED BY db4sci_editor'
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
 WHERE d.datname = current_database() AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'db4sci_editor') \gexec
SQL
}
edit() { # DATABASE …: psql for changing definitions
  edited=$1; shift
  PGUSER=db4sci_editor PGPASSWORD=$DB4SCI_OWNER_PASSWORD PGOPTIONS="$PGOPTIONS -c default_transaction_read_only=off" PGDATABASE=$edited psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
ends() { :; }
handed_over() { :; } # nobody else can connect to a new server
