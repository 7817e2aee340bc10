#!/usr/bin/env bash
# Starts PostgreSQL in a container, after initialising an empty data directory. The variables, folders and rules are
# those that the official postgres image documents; the script is our own.
set -Eeuo pipefail
shopt -s nullglob

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
note() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# setting NAME [DEFAULT]: NAME from the environment, or from the file that NAME_FILE names; not both
setting() {
  local name=$1 file=$1_FILE
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then fail "both $name and $file are set: set one of them"; fi
  if [ -n "${!file:-}" ]; then
    [ -r "${!file}" ] || fail "$file names ${!file}, which can't be read"
    printf -v "$name" %s "$(cat "${!file}")"
  fi
  [ -n "${!name:-}" ] || printf -v "$name" %s "${2:-}"
  unset "$file"
}

# Asked only to explain itself (--help, --version, --describe-config, -C)?
wants_help() {
  local a
  for a; do case $a in -'?' | --help | --describe-config | -V | --version | -C) return 0 ;; esac; done
  return 1
}

# As root, sets the owner of the directories. Any other --user must have write access already, or postgres reports it.
prepare_directories() {
  local user; user=$(id -u)
  mkdir -p "$PGDATA"; chmod 0700 "$PGDATA" || :
  mkdir -p /var/run/postgresql || :; chmod 3777 /var/run/postgresql 2>/dev/null || :
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"; chmod 0700 "$POSTGRES_INITDB_WALDIR"
    [ "$user" != 0 ] || find "$POSTGRES_INITDB_WALDIR" ! -user postgres -exec chown postgres {} +
  fi
  if [ "$user" = 0 ]; then
    find "$PGDATA" ! -user postgres -exec chown postgres {} +
    find /var/run/postgresql ! -user postgres -exec chown postgres {} +
  fi
}

settings() {
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

refuse_no_password() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    fail "the database is not initialised and has no superuser password: set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE)." \
         "POSTGRES_HOST_AUTH_METHOD=trust would let anyone in without one, which is not recommended."
  fi
  if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
    note "warning: POSTGRES_HOST_AUTH_METHOD=trust lets anyone in over the network, without a password."
  fi
}

# initdb looks up its user by name; nss_wrapper provides a name for an arbitrary uid, for initdb only
lend_a_user_name() {
  getent passwd "$(id -u)" >/dev/null && return
  local lib
  for lib in /usr/lib/*/libnss_wrapper.so /usr/lib/libnss_wrapper.so; do
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    export LD_PRELOAD=$lib NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
    printf 'postgres:x:%s:\n' "$(id -g)" >"$NSS_WRAPPER_GROUP"
    return
  done
}
return_the_name() {
  [ -n "${NSS_WRAPPER_PASSWD:-}" ] || return 0
  rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
  unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
}

initialise() {
  lend_a_user_name
  local args=(--username="$POSTGRES_USER")
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || args+=(--waldir="$POSTGRES_INITDB_WALDIR")
  # POSTGRES_INITDB_ARGS is documented as a list quoted for the shell; the password never touches a disk
  eval 'initdb "${args[@]}" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
  return_the_name
}

allow_network() { # …the arguments of postgres, which may set password_encryption
  local auth
  auth=$(postgres -C password_encryption "$@")
  [ "${POSTGRES_HOST_AUTH_METHOD:=$auth}" != on ] || POSTGRES_HOST_AUTH_METHOD=md5
  printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
}

# During initialisation the server listens only on its unix socket, so that no client finds it half initialised.
start_for_init() {
  [ "${1:-}" != postgres ] || shift
  NOTIFY_SOCKET='' PGUSER="${PGUSER:-$POSTGRES_USER}" \
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")" -w start
}
stop_after_init() { PGUSER="${PGUSER:-postgres}" pg_ctl -D "$PGDATA" -m fast -w stop; }

# Init scripts use this too, under its name in the official image.
docker_process_sql() {
  local run=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
  [ -z "${POSTGRES_DB:-}" ] || run+=(--dbname "$POSTGRES_DB")
  PGHOST='' PGHOSTADDR='' "${run[@]}" "$@"
}

make_database() {
  local db=$POSTGRES_DB there
  there=$(POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$db" --tuples-only --no-align \
    <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
  [ -n "$there" ] || POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$db" <<<'CREATE DATABASE :"db";'
}

run_init_files() {
  local f
  for f; do
    note "running $f"
    # shellcheck source=/dev/null
    case $f in
      # executable scripts run by themselves, others in this shell
      *.sh)      if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
      *.sql)     docker_process_sql -f "$f" ;;
      *.sql.gz)  gunzip -c "$f" | docker_process_sql ;;
      *.sql.xz)  xzcat "$f" | docker_process_sql ;;
      *.sql.zst) zstd -dc "$f" | docker_process_sql ;;
      *)         note "ignoring $f: not a kind that is run" ;;
    esac
  done
}

main() {
  [ "${1:0:1}" != - ] || set -- postgres "$@"
  if [ "${1:-}" != postgres ] || wants_help "$@"; then exec "$@"; fi

  prepare_directories
  # everything below runs as postgres, not as root
  if [ "$(id -u)" = 0 ]; then
    export HOME=/var/lib/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$BASH" "$0" "$@"
  fi

  settings
  if [ -s "$PGDATA/PG_VERSION" ]; then
    note "data directory is initialised, starting"
  else
    refuse_no_password
    ls /docker-entrypoint-initdb.d/ >/dev/null   # fail now, not after initdb, if it can't be read
    initialise
    allow_network "${@:2}"
    export PGPASSWORD=$POSTGRES_PASSWORD
    start_for_init "$@"
    make_database
    run_init_files /docker-entrypoint-initdb.d/*
    stop_after_init
    unset PGPASSWORD
    note "initialised, starting"
  fi
  unset POSTGRES_PASSWORD
  exec "$@"
}

# A script that sources this file gets the functions only.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
