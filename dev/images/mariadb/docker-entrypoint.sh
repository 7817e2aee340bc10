#!/usr/bin/env bash
# Starts MariaDB in a container, after initialising an empty data directory. The variables, folders and rules are those
# that the official mariadb image documents; the script is our own.
set -Eeuo pipefail
shopt -s nullglob

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
note() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# setting NAME [DEFAULT]: MARIADB_NAME, or its older name MYSQL_NAME, or the file that MARIADB_NAME_FILE or
# MYSQL_NAME_FILE names. The value ends up under both names, for init scripts.
setting() {
  local name value='' file=''
  for name in "MYSQL_$1" "MARIADB_$1"; do
    local as_file=${name}_FILE
    if [ -n "${!name:-}" ] && [ -n "${!as_file:-}" ]; then fail "both $name and $as_file are set: set one of them"; fi
    file=${!as_file:-}
    if [ -n "$file" ]; then
      [ -r "$file" ] || fail "$as_file names $file, which can't be read"
      value=$(cat "$file")
    elif [ -n "${!name:-}" ]; then
      value=${!name}
    fi
    unset "$as_file"
  done
  [ -n "$value" ] || value=${2:-}
  for name in "MYSQL_$1" "MARIADB_$1"; do
    if [ -n "$value" ]; then export "$name=$value"; else printf -v "$name" %s ''; fi
  done
}

settings() {
  setting ROOT_HOST %
  local name
  for name in ROOT_PASSWORD ROOT_PASSWORD_HASH ALLOW_EMPTY_ROOT_PASSWORD RANDOM_ROOT_PASSWORD DATABASE USER PASSWORD PASSWORD_HASH \
              INITDB_SKIP_TZINFO MYSQL_LOCALHOST_USER MYSQL_LOCALHOST_GRANTS AUTO_UPGRADE DISABLE_UPGRADE_BACKUP; do
    setting $name
  done
  # MySQL's images know these two without ROOT in the name
  [ -z "${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ] || MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=$MYSQL_ALLOW_EMPTY_PASSWORD
  [ -z "${MYSQL_RANDOM_PASSWORD:-}" ] || MARIADB_RANDOM_ROOT_PASSWORD=$MYSQL_RANDOM_PASSWORD
}

# Asked only to explain itself?
wants_help() {
  local a
  for a; do case $a in -'?' | --help | --print-defaults | -V | --version) return 0 ;; esac; done
  return 1
}

# The effective settings of the server, from its configuration and these arguments. An invalid setting ends the script
# with the server's message.
server_settings() {
  local said errors; errors=$(mktemp)
  said=$("$@" --verbose --help --log-bin-index="$errors.index" 2>"$errors") || fail "the configuration is wrong: $(cat "$errors")"
  rm -f "$errors"
  value_of() { awk -v name="$1" '/^[^ ]/ && $1 == name { sub(/^[^ \t]+[ \t]+/, ""); print; exit }' <<<"$said"; }
  DATADIR=$(value_of datadir) SOCKET=$(value_of socket) PORT=$(value_of port)
  DATADIR=${DATADIR%/}
}

# As root, sets the owner of the directories. Any other --user must have write access already, or mariadbd reports it.
prepare_directories() {
  mkdir -p "$DATADIR" "${SOCKET%/*}" || :
  [ "$(id -u)" = 0 ] || return 0
  find "$DATADIR" ! -user mysql -exec chown mysql: {} +
  find "${SOCKET%/*}" -maxdepth 0 ! -user mysql -exec chown mysql: {} +
}

refuse_incomplete() {
  if [ -z "$MARIADB_ROOT_PASSWORD$MARIADB_ROOT_PASSWORD_HASH$MARIADB_ALLOW_EMPTY_ROOT_PASSWORD$MARIADB_RANDOM_ROOT_PASSWORD" ]; then
    fail "the database is not initialised and nothing is said about root's password: set one of MARIADB_ROOT_PASSWORD," \
         "MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD"
  fi
  [ -z "$MARIADB_ROOT_PASSWORD" ] || [ -z "$MARIADB_ROOT_PASSWORD_HASH" ] || fail "set MARIADB_ROOT_PASSWORD or MARIADB_ROOT_PASSWORD_HASH, not both"
  [ -z "$MARIADB_PASSWORD" ] || [ -z "$MARIADB_PASSWORD_HASH" ] || fail "set MARIADB_PASSWORD or MARIADB_PASSWORD_HASH, not both"
  [ "$MARIADB_USER" != root ] || fail "MARIADB_USER can't be root: the variables for root are MARIADB_ROOT_…"
  if [ -n "$MARIADB_USER" ] && [ -z "$MARIADB_PASSWORD$MARIADB_PASSWORD_HASH" ]; then note "MARIADB_USER has no password and is not made"; fi
}

# Turns off what a short initialisation does not need: replication logs and dumps of the buffer pool
FOR_INIT=(--skip-log-bin --expire-logs-days=0 --default-time-zone=SYSTEM --loose-innodb-buffer-pool-load-at-startup=0
          --loose-innodb-buffer-pool-dump-at-shutdown=0)

initialise() {
  # --rpm: no hints, no test connection; the SQL mode and the engine in the user's configuration are ignored
  mariadb-install-db --datadir="$DATADIR" --rpm --auth-root-authentication-method=normal --skip-test-db "${@:2}" "${FOR_INIT[@]}" \
    --enforce-storage-engine= --skip-name-resolve >&2
}

# During initialisation the server listens only on its unix socket, so that no client finds it half initialised.
start_for_init() { # …arguments
  "$@" --skip-networking --socket="$SOCKET" --wsrep-on=OFF "${FOR_INIT[@]}" & SERVER=$!
  local i
  for ((i = 0; i < 600; i++)); do
    # a refused login counts as an answer too
    ! mariadb-admin --no-defaults --protocol=socket --socket="$SOCKET" ping >/dev/null 2>&1 || return 0
    kill -0 "$SERVER" 2>/dev/null || fail "the server does not start"
    sleep 0.1
  done
  fail "the server does not answer"
}
stop_after_init() { kill "$SERVER"; wait "$SERVER" || fail "the server did not stop cleanly"; }

as_root_user() { # runs SQL from standard input, or arguments, as root@localhost, in no database unless one is named
  MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb --protocol=socket --socket="$SOCKET" -uroot -hlocalhost --binary-mode "$@"
}
# Init scripts use these too, under their names in the official image.
# shellcheck disable=SC2120
docker_process_sql() {
  if [ -n "$MARIADB_DATABASE" ]; then as_root_user --database="$MARIADB_DATABASE" "$@"; else as_root_user "$@"; fi
}
mysql_note()  { note "$@"; }
mysql_warn()  { note "warning: $*"; }
mysql_error() { fail "$@"; }

text() { local s=${1//\\/\\\\}; printf "'%s'" "${s//\'/\\\'}"; }   # a string, as SQL
name() { printf '`%s`' "${1//\`/\`\`}"; }                          # a name, as SQL
# identified PASSWORD HASH, as SQL
identified() { if [ -n "$2" ]; then echo "IDENTIFIED BY PASSWORD $(text "$2")"; else echo "IDENTIFIED BY $(text "$1")"; fi; }

make_users() {
  # these strings need backslash escapes, whatever the configuration says; none of this goes to a replica
  echo "SET @@SESSION.SQL_LOG_BIN = 0;"
  echo "SET @@SESSION.SQL_MODE = REPLACE(@@SESSION.SQL_MODE, 'NO_BACKSLASH_ESCAPES', '');"
  # remove what mariadb-install-db adds: root for other names of this host, and anonymous users
  cat <<'SQL'
    DELIMITER //
    FOR u IN (SELECT user, host FROM mysql.user WHERE (user = 'root' AND host <> 'localhost') OR (user = '' AND host <> '')) DO
      EXECUTE IMMEDIATE CONCAT('DROP USER ', QUOTE(u.user), '@', QUOTE(u.host));
    END FOR //
    DELIMITER ;
SQL
  local root h
  root=$(identified "$MARIADB_ROOT_PASSWORD" "$MARIADB_ROOT_PASSWORD_HASH")
  if [ "$MARIADB_ROOT_HOST" != localhost ]; then
    echo "CREATE USER 'root'@$(text "$MARIADB_ROOT_HOST") $root;"
    echo "GRANT ALL ON *.* TO 'root'@$(text "$MARIADB_ROOT_HOST") WITH GRANT OPTION;"
    echo "GRANT PROXY ON ''@'%' TO 'root'@$(text "$MARIADB_ROOT_HOST") WITH GRANT OPTION;"
  fi
  if [ -n "$MARIADB_MYSQL_LOCALHOST_USER" ]; then
    echo "CREATE USER mysql@localhost IDENTIFIED VIA unix_socket;"
    [ -z "$MARIADB_MYSQL_LOCALHOST_GRANTS" ] || echo "GRANT $MARIADB_MYSQL_LOCALHOST_GRANTS ON *.* TO mysql@localhost;"
  fi
  make_healthcheck_users
  [ -z "$MARIADB_DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS $(name "$MARIADB_DATABASE");"
  if [ -n "$MARIADB_USER" ] && [ -n "$MARIADB_PASSWORD$MARIADB_PASSWORD_HASH" ]; then
    echo "CREATE USER $(text "$MARIADB_USER")@'%' $(identified "$MARIADB_PASSWORD" "$MARIADB_PASSWORD_HASH");"
    # _ and % are wildcards in a grant
    h=${MARIADB_DATABASE//_/\\_}
    [ -z "$MARIADB_DATABASE" ] || echo "GRANT ALL ON $(name "${h//%/\\%}").* TO $(text "$MARIADB_USER")@'%';"
  fi
  # last. Given only a hash, the script does not know the password, and init files still have to run (protect_root)
  [ -n "$MARIADB_ROOT_PASSWORD_HASH" ] || echo "ALTER USER 'root'@'localhost' $root;"
}
make_healthcheck_users() {
  local password h; password=$(random_password)
  for h in localhost 127.0.0.1 ::1; do
    echo "CREATE OR REPLACE USER healthcheck@'$h' IDENTIFIED BY '$password';"
    echo "GRANT USAGE ON *.* TO healthcheck@'$h';"
  done
  (umask 077; printf '[mariadb-client]\nport=%s\nsocket=%s\nuser=healthcheck\npassword=%s\n' "$PORT" "$SOCKET" "$password" \
    >"$DATADIR/.my-healthcheck.cnf")
}
protect_root() {
  [ -z "$MARIADB_ROOT_PASSWORD_HASH" ] || as_root_user <<<"ALTER USER 'root'@'localhost' $(identified '' "$MARIADB_ROOT_PASSWORD_HASH");"
}
random_password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

make_time_zones() {
  [ -z "$MARIADB_INITDB_SKIP_TZINFO" ] || return 0
  # files of the Debian package that are not time zones cause warnings
  mariadb-tzinfo-to-sql /usr/share/zoneinfo 2>/dev/null | MARIADB_ROOT_PASSWORD='' as_root_user --database=mysql
}

run_init_files() {
  local f
  for f; do
    note "running $f"
    # shellcheck source=/dev/null
    case $f in
      # executable scripts run by themselves, others in this shell
      *.sh)      if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
      *.sql)     docker_process_sql <"$f" ;;
      *.sql.gz)  gunzip -c "$f" | docker_process_sql ;;
      *.sql.xz)  xzcat "$f" | docker_process_sql ;;
      *.sql.zst) zstd -dc "$f" | docker_process_sql ;;
      *)         note "ignoring $f: not a kind that is run" ;;
    esac
  done
}

# Upgrades the system tables of an older version if MARIADB_AUTO_UPGRADE is set, after copying them
needs_upgrade() {
  local f had now
  now=$(mariadbd --version | sed -n 's/.*Ver \([0-9]*\.[0-9]*\)\..*/\1/p')
  for f in "$DATADIR"/mariadb_upgrade_info "$DATADIR"/mysql_upgrade_info; do
    [ ! -f "$f" ] || { had=$(cut -d. -f1,2 "$f"); break; }
  done
  [ -z "${had:-}" ] || [ "$(printf '%s\n' "$had" "$now" | sort -V | tail -n1)" != "$had" ]
}
upgrade() {
  local info=("$DATADIR"/mariadb_upgrade_info "$DATADIR"/mysql_upgrade_info)
  MARIADB_ROOT_PASSWORD=''
  start_for_init "$@" --skip-grant-tables --loose-innodb-fast-shutdown=1
  if [ -z "$MARIADB_DISABLE_UPGRADE_BACKUP" ]; then
    local copy; copy=$DATADIR/system_mysql_backup_$(cat "${info[0]}" 2>/dev/null || cat "${info[1]}" 2>/dev/null || echo unknown_version).sql.zst
    mariadb-dump --protocol=socket --socket="$SOCKET" -uroot --skip-lock-tables --replace --databases mysql | zstd -q -f -o "$copy"
    note "a copy of the system tables is in $copy"
  fi
  mariadb-upgrade --protocol=socket --socket="$SOCKET" -uroot --upgrade-system-tables
  stop_after_init
  if [ ! -e "$DATADIR/.my-healthcheck.cnf" ]; then
    # root's password is not known here; an init file needs none
    local users; users=$(mktemp)
    make_healthcheck_users >"$users"
    start_for_init "$@" --init-file="$users"
    stop_after_init
    rm -f "$users"
  fi
}

main() {
  [ "${1:0:1}" != - ] || set -- mariadbd "$@"
  # the older name of the server works in every version
  if [ "${1:-}" = mysqld ]; then set -- mariadbd "${@:2}"; fi
  if [ "${1:-}" != mariadbd ] || wants_help "$@"; then exec "$@"; fi

  server_settings "$@"
  prepare_directories
  # everything below runs as mysql, not as root
  if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$BASH" "$0" "$@"; fi

  settings
  if [ ! -d "$DATADIR/mysql" ]; then
    refuse_incomplete
    ls /docker-entrypoint-initdb.d/ >/dev/null   # fail now, not after the work, if it can't be read
    if [ -n "$MARIADB_RANDOM_ROOT_PASSWORD" ] && [ -z "$MARIADB_ROOT_PASSWORD" ]; then
      MARIADB_ROOT_PASSWORD=$(random_password)
      export MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD=$MARIADB_ROOT_PASSWORD
      note "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
    fi
    initialise "$@"
    start_for_init "$@"
    make_time_zones
    make_users | MARIADB_ROOT_PASSWORD='' as_root_user
    run_init_files /docker-entrypoint-initdb.d/*
    protect_root
    stop_after_init
    note "initialised, starting"
  elif [ -n "$MARIADB_AUTO_UPGRADE" ] && needs_upgrade; then
    upgrade "$@"
    note "upgraded, starting"
  else
    note "data directory is initialised, starting"
  fi
  unset MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD MARIADB_PASSWORD MYSQL_PASSWORD
  exec "$@"
}

# A script that sources this file gets the functions only.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
