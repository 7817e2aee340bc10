# Applies the changes that were made during the copy, and removes the tool's own files.
tool=$(command -v mariadb-backup || command -v mariabackup)
"$tool" --no-defaults --prepare --target-dir="$DB4SCI_TO" --use-memory=128M
cd "$DB4SCI_TO"
rm -f -- backup-my.cnf xtrabackup_* mariadb_backup_*
