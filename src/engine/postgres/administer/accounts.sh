# Creates the user's role and, in a new server, the database, or completes an earlier attempt. Everything runs in the database postgres, where
# the user cannot create anything; only extensions are created in the user's own database, which is new at that time.
# Values are passed in the environment and quoted by the server's own format(), so no name or password can break out.
# Neither the statements nor their failures reach the server's log, which its owner can read.
set_up() {
  administer postgres -f - <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\getenv dbuser DB4SCI_USER
\getenv dbname DB4SCI_DATABASE
\getenv password DB4SCI_USER_VERIFIER
\getenv new DB4SCI_NEW
\getenv own DB4SCI_OWN_VERIFIER
\if :{?own}
-- The administrator still has the password of the seed that this server started from.
SELECT format('ALTER ROLE CURRENT_USER PASSWORD %L', :'own') \gexec
\endif
SELECT format('CREATE ROLE %I', :'dbuser')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'dbuser') \gexec
SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L',
              :'dbuser', :'password') \gexec
\if :{?own}
-- A server started in advance has an empty database: creating one takes longer than everything else here.
SELECT format('ALTER DATABASE db4sci_warm_up RENAME TO %I', :'dbname')
 WHERE EXISTS (SELECT FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE datname = 'db4sci_warm_up' AND rolname = current_user)
   AND NOT EXISTS (SELECT FROM pg_database WHERE datname = :'dbname') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', :'dbname', :'dbuser')
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE datname = :'dbname' AND rolname = current_user \gexec
\endif
-- A database that its owner has dropped or renamed since must not reappear with a new password.
SELECT format('CREATE DATABASE %I OWNER %I', :'dbname', :'dbuser')
 WHERE :'new' = '1' AND NOT EXISTS (SELECT FROM pg_database WHERE datname = :'dbname') \gexec
-- Only before the first GRANT or REVOKE: after that, the owner decides who may connect.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'dbname') FROM pg_database WHERE datname = :'dbname' AND datacl IS NULL \gexec
@OBSERVER@SQL
}
code=0
said=$(set_up 2>&1) || code=$?
if [ $code = 2 ] && [ -n "${DB4SCI_OWN_PASSWORD:-}" ]; then
  # psql could not sign in: an earlier attempt has already given the administrator its own password.
  DB4SCI_ADMIN_PASSWORD=$DB4SCI_OWN_PASSWORD
  set_up
elif [ $code != 0 ]; then
  printf '%s\n' "$said" >&2
  exit $code
fi
[ -n "$DB4SCI_EXTENSIONS" ] || exit 0
[ -z "${DB4SCI_OWN_PASSWORD:-}" ] || DB4SCI_ADMIN_PASSWORD=$DB4SCI_OWN_PASSWORD
# Trusted extensions are created by the user, who can then drop and update them.
chosen() { # true or false: statements for the trusted extensions, or for the others
  ask postgres -v trusted="$1" -f - <<'SQL'
\getenv extensions DB4SCI_EXTENSIONS
SELECT format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA public;', e)
  FROM string_to_table(:'extensions', ' ') AS e LEFT JOIN pg_available_extension_versions v ON v.name = e
 WHERE e <> '' GROUP BY e HAVING coalesce(bool_or(v.trusted), false) = :'trusted'::boolean ORDER BY e;
SQL
}
statements=$(chosen true)
(
  export PGUSER="$DB4SCI_USER" PGPASSWORD="$DB4SCI_USER_PASSWORD" PGOPTIONS="$PGOPTIONS -c default_transaction_read_only=off"
  ask "$DB4SCI_DATABASE" -c "$statements"
)
statements=$(chosen false)
administer "$DB4SCI_DATABASE" -c "$statements"
