#!/usr/bin/env bash
# healthcheck.sh [--su-mysql] [--connect] [--innodb_initialized] …: succeeds if all the named tests succeed. The tests
# are some of those that the official mariadb image documents; the script is our own.
set -euo pipefail

[ $# -gt 0 ] || { echo 'healthcheck.sh: name a test, such as --connect' >&2; exit 1; }
login=() datadir=/var/lib/mysql
ask() { mariadb ${login[@]+"${login[@]}"} --protocol "$1" --skip-column-names --batch --skip-ssl -e "$2"; }
# The user that the entrypoint created for this, unless the arguments choose another file or none
own_login() { if [ ${#login[@]} = 0 ] && [ -r "$datadir/.my-healthcheck.cnf" ]; then login=(--defaults-extra-file="$datadir/.my-healthcheck.cnf"); fi; }

for a; do
  case $a in
    --su-mysql) [ "$(id -u)" != 0 ] || exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "${@/#--su-mysql/--su-done}" ;;
    --su-done)  ;;
    --datadir=*) datadir=${a#*=} ;;
    --defaults-file=* | --defaults-extra-file=* | --defaults-group-suffix=*) login+=("$a") ;;
    --no-defaults) login=(--no-defaults) ;;
    # Over TCP, where the temporary server of an initialisation does not listen. A refused login counts as an answer.
    --connect)
      own_login
      out=$(ask tcp 'SELECT 1' 2>&1) || [[ $out == *'ERROR 1045'* || $out == *'ERROR 1820'* || $out == *'ERROR 4151'* ]] ;;
    --innodb_initialized)
      own_login
      [ "$(ask socket "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'innodb' AND support IN ('YES', 'DEFAULT', 'ENABLED')")" = 1 ] ;;
    --mariadbupgrade)
      [ -e "$datadir/mariadb_upgrade_info" ] || [ -e "$datadir/mysql_upgrade_info" ] ;;
    *) echo "healthcheck.sh: no test named $a" >&2; exit 1 ;;
  esac
done
