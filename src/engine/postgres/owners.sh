# In a new server every role signs in as itself while data is put back.
owner() { # OID COMMAND…: the command, in the session of that role
  role=$(administer postgres -c "SELECT rolname || '.' FROM pg_roles WHERE oid = $1" </dev/null)
  shift
  PGUSER=${role%.} PGPASSWORD=$DB4SCI_OWNER_PASSWORD "$@"
}
edit() { # DATABASE …: psql that changes what is defined, where no code of an owner runs
  administer "$@"
}
ends() { :; }
