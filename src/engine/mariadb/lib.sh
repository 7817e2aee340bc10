# Shared by the scripts for MariaDB. Values for statements are passed as hexadecimal digits, names for programs and
# passwords in the environment. In binary mode the client runs none of its own commands, whatever its input contains.
set -eu
as() { # USER PASSWORD ARGUMENT…
  as_user=$1 as_password=$2
  shift 2
  MYSQL_PWD=$as_password "$DB4SCI_CLIENT" --no-defaults --protocol=tcp --host=127.0.0.1 --skip-ssl --connect-timeout=10 \
    --default-character-set=utf8mb4 --comments --binary-mode --batch --skip-column-names --unbuffered --max-allowed-packet=1G \
    --local-infile=0 --loose-skip-print-query-on-error --init-command="$DB4SCI_SETTINGS" --user="$as_user" "$@"
}
client() { as "$DB4SCI_USER" "$DB4SCI_PASSWORD" "$@"; }
