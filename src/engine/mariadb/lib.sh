# Common to the scripts of MariaDB. Values for statements come as hexadecimal digits in DB4SCI_SET, names for programs
# in the environment, the password in MYSQL_PWD.
client() {
  "$DB4SCI_CLIENT" --no-defaults --protocol=tcp --host=127.0.0.1 --skip-ssl --connect-timeout=10 --default-character-set=utf8mb4 \
    --batch --skip-column-names --unbuffered --max-allowed-packet=1G --user="$DB4SCI_ADMIN" "$@"
}
