tool=$(command -v mariadb-backup || command -v mariabackup)
"$tool" --no-defaults --backup --datadir="$DB4SCI_FROM" --target-dir="$DB4SCI_TO" --user="$DB4SCI_USER" \
  --host=127.0.0.1 --port=3306 --skip-ssl
for file in mariadb_upgrade_info mysql_upgrade_info; do
  if [ -f "$DB4SCI_FROM/$file" ]; then cp -- "$DB4SCI_FROM/$file" "$DB4SCI_TO/"; fi
done
