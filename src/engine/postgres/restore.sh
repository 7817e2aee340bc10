# What --exit-on-error ends is no restore: nothing is ever ignored.
exec pg_restore -U "$DB4SCI_ADMIN" --exit-on-error --dbname="$(connection "$DB4SCI_DATABASE")"
