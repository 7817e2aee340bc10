# Creates the accounts and grants the privileges that the server accepts, and reports what it refuses. Privileges on
# objects that were not selected for the restore are not failures.
go_on
tell '' "$DB4SCI_EXPECTED"
