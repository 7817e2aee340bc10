# In a running server data is restored in a session of a temporary role that is only a member of the database owner's
# role: code that resets the role gains nothing.
# A session of the role may be left, or may be the owner's: code that the restore runs can set the role's password.
end_sessions() {
  administer postgres -f - <<'SQL' >/dev/null
\getenv lent DB4SCI_LENT
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname) FROM pg_roles WHERE rolname = :'lent' \gexec
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = :'lent';
SQL
}
lend() { # DATABASE: creates the role for the owner of this database
  end_sessions
  administer postgres -v of="$1" -f - <<'SQL'
SET client_min_messages = 'error';
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\getenv lent DB4SCI_LENT
\getenv password DB4SCI_OWNER_VERIFIER
\getenv own DB4SCI_USER
SELECT coalesce((SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = :'of' AND NOT r.rolsuper), :'own') AS owner \gset
SELECT format('CREATE ROLE %I', :'lent') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'lent') \gexec
SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER INHERIT NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L VALID UNTIL %L', :'lent', :'password', now() + interval '2 days') \gexec
SELECT format('GRANT %I TO %I', :'owner', :'lent') \gexec
-- Runs are not distinguished here. The owner's settings in the database are those of now.
DROP TABLE IF EXISTS db4sci.record;
CREATE TABLE db4sci.record (n int, line jsonb NOT NULL);
INSERT INTO db4sci.record
SELECT DISTINCT ON (lower(split_part(c, '=', 1)))
       0, jsonb_build_object('setting', jsonb_build_object('name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1)))
  FROM pg_database d, pg_roles r, pg_db_role_setting s, unnest(s.setconfig) AS c
 WHERE d.datname = :'of' AND r.rolname = :'owner' AND s.setdatabase IN (0, d.oid) AND s.setrole IN (0, r.oid)
 ORDER BY lower(split_part(c, '=', 1)), s.setrole <> 0 DESC, s.setdatabase <> 0 DESC;
SQL
  lender=$(ask postgres -f - <<'SQL'
\getenv lent DB4SCI_LENT
SELECT regexp_replace(o.rolname, '([\s\\])', '\\\1', 'g') || '.' FROM pg_auth_members a JOIN pg_roles o ON o.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname = :'lent' LIMIT 1;
SQL
)
}
owner() { # OID COMMAND…: runs the command in such a session
  shift
  PGUSER=$DB4SCI_LENT PGPASSWORD=$DB4SCI_OWNER_PASSWORD PGOPTIONS="$PGOPTIONS -c default_transaction_read_only=off -c role=${lender%.}" "$@"
}
edit() { # DATABASE …: psql as the owner
  edited=$1; shift
  PGDATABASE=$edited owner 0 psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
handed_over() { # the database now belongs to the role whose member the role of the restore is
  administer postgres -f - <<'SQL'
\getenv db DB4SCI_DATABASE
\getenv lent DB4SCI_LENT
SELECT format('ALTER DATABASE %I OWNER TO %I', :'db', o.rolname), format('REVOKE ALL ON DATABASE %I FROM %I', :'db', :'lent')
  FROM pg_auth_members a JOIN pg_roles o ON o.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname = :'lent' LIMIT 1 \gexec
SQL
}
unlend() { # DATABASE…: removes the role. What code that reset the role created in its name becomes the owner's.
  end_sessions || :
  for database; do
    administer "$database" -f - 2>/dev/null <<'SQL' || :
\getenv lent DB4SCI_LENT
\getenv own DB4SCI_USER
-- Never the administrator: what the role created may run with the privileges of its owner.
SELECT format('REASSIGN OWNED BY %I TO %I', :'lent', CASE WHEN r.rolsuper THEN :'own' ELSE r.rolname END), format('DROP OWNED BY %I', :'lent')
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
 WHERE d.datname = current_database() AND EXISTS (SELECT FROM pg_roles WHERE rolname = :'lent') \gexec
SQL
  done
  administer postgres -f - <<'SQL'
SET client_min_messages = 'error';
\getenv lent DB4SCI_LENT
-- Its owner may have made other objects depend on it, so that it cannot be dropped; nobody can sign in as it.
SELECT format('DROP ROLE IF EXISTS %I', :'lent') \gexec
DROP TABLE IF EXISTS db4sci.record;
SQL
}
lend "$DB4SCI_DATABASE"
