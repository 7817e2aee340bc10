# The beginning of every script. The portal's sessions run as the observer, who can change nothing, unless stated
# otherwise. Their settings are passed in PGOPTIONS and names of databases in the environment, where no part of them is taken for an option or a
# connection string.
ask() { # DATABASE …: psql as the observer
  database=$1; shift
  PGDATABASE=$database psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
administer() { # DATABASE …: psql as the administrator
  database=$1; shift
  PGUSER=$DB4SCI_ADMIN PGPASSWORD=$DB4SCI_ADMIN_PASSWORD PGOPTIONS=$DB4SCI_ADMIN_OPTIONS PGDATABASE=$database psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
