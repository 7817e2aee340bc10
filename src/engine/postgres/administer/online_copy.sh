to=$DB4SCI_TO$DB4SCI_INSIDE
mkdir -p -m 700 -- "$to"
exec pg_basebackup -D "$to" -X stream -c fast --no-sync --no-password --no-manifest
