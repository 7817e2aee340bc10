# Makes the accounts and gives the rights that the server takes, and tells what it refuses. Rights on what was not wanted of a
# backup are no failure.
go_on
tell '' "$DB4SCI_EXPECTED"
