# In a new server every role signs in as itself while data is restored.
owner() { # OID COMMAND…: runs the command in a session of that role
  role=$(administer postgres -c "SELECT rolname || '.' FROM pg_roles WHERE oid = $1" </dev/null)
  shift
  PGUSER=${role%.} PGPASSWORD=$DB4SCI_OWNER_PASSWORD "$@"
}
edit() { # DATABASE …: psql for changing definitions, where no code of an owner runs
  administer "$@"
}
ends() { :; }
