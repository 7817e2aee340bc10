# The beginning of every script. The portal's sessions are the observer's unless they say otherwise; their settings come
# by PGOPTIONS, names of databases by environment, where no part of them is taken for an option or a connection string.
ask() { # DATABASE …: psql as the observer
  database=$1; shift
  PGDATABASE=$database psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
administer() { # DATABASE …: psql as the administrator
  database=$1; shift
  PGUSER=$DB4SCI_ADMIN PGPASSWORD=$DB4SCI_ADMIN_PASSWORD PGDATABASE=$database psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
