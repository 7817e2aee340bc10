#!/usr/bin/env bash
# Starts MongoDB in a container, after initialising an empty data directory. The variables, folders and rules are those
# that the official mongo image documents; the script is our own.
set -Eeuo pipefail
shopt -s nullglob

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
note() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# setting NAME: NAME from the environment, or from the file that NAME_FILE names; not both
setting() {
  local name=$1 file=$1_FILE
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then fail "both $name and $file are set: set one of them"; fi
  if [ -n "${!file:-}" ]; then
    [ -r "${!file}" ] || fail "$file names ${!file}, which can't be read"
    export "$name=$(cat "${!file}")"
  fi
  [ -n "${!name:-}" ] || printf -v "$name" %s ''
  unset "$file"
}

# Asked only to explain itself?
wants_help() {
  local a
  for a; do case $a in -h | --help | --version) return 0 ;; esac; done
  return 1
}

# value_of OPTION ARG…: the option's value in the arguments, as "--option value" or "--option=value"; the last one wins
value_of() {
  local option=$1 found=''; shift
  while [ $# -gt 0 ]; do
    case $1 in
      "$option")   found=${2:-} ;;
      "$option="*) found=${1#*=} ;;
    esac
    shift
  done
  printf %s "$found"
}
has() { local option=$1 a; shift; for a; do case $a in "$option" | "$option="*) return 0 ;; esac; done; return 1; }

# Prints the data directory that a configuration file sets, and whether it sets addresses to listen on. Writes a copy
# for the temporary server to $INIT_CONFIG, without the sections on network, logging, process management and security.
read_configuration() { # FILE
  node -e '
    const fs = require("fs"), [file, copy] = process.argv.slice(1);
    const conf = require("/opt/mongosh/js-yaml.js").load(fs.readFileSync(file, "utf8")) || {};
    console.log((conf.storage || {}).dbPath || "");
    console.log((conf.net || {}).bindIp || (conf.net || {}).bindIpAll ? "yes" : "");
    for (const part of ["systemLog", "processManagement", "net", "security"]) delete conf[part];
    fs.writeFileSync(copy, JSON.stringify(conf));' "$1" "$INIT_CONFIG" ||
    fail "the configuration file $1 can't be read"
}

inspect_arguments() { # …arguments of mongod
  local conf said=()
  conf=$(value_of --config "$@"); [ -n "$conf" ] || conf=$(value_of -f "$@")
  INIT_CONFIG='' DBPATH='' BINDS=''
  if [ -n "$conf" ]; then
    INIT_CONFIG=$(mktemp)
    readarray -t said < <(read_configuration "$conf")
    [ ${#said[@]} = 2 ] || exit 1
    DBPATH=${said[0]} BINDS=${said[1]}
  fi
  local given; given=$(value_of --dbpath "$@"); DBPATH=${given:-$DBPATH}
  if [ -z "$DBPATH" ]; then if has --configsvr "$@"; then DBPATH=/data/configdb; else DBPATH=/data/db; fi; fi
  if has --bind_ip "$@" || has --bind_ip_all "$@"; then BINDS=yes; fi
}

# As root, sets the owner of the directories. Any other --user must have write access already, or mongod reports it.
prepare_directories() {
  mkdir -p "$DBPATH" || :
  [ "$(id -u)" = 0 ] || return 0
  find "$DBPATH" /data/configdb ! -user mongodb -exec chown mongodb {} +
}

is_initialised() {
  local f
  for f in WiredTiger journal local.0 storage.bson; do [ ! -e "$DBPATH/$f" ] || return 0; done
  return 1
}

# During initialisation there are no users yet, so the server listens only on the container's own 127.0.0.1. It gets the
# given arguments, except those for authentication, a replica set, a log file or background mode.
start_for_init() { # …arguments of mongod
  local args=(--bind_ip 127.0.0.1 --port 27017)
  while [ $# -gt 0 ]; do
    case $1 in
      --bind_ip_all | --auth | --noauth | --transitionToAuth | --fork | --logappend | --syslog) ;;
      --bind_ip | --port | --keyFile | --clusterAuthMode | --replSet | --logpath | --pidfilepath | --config | -f) shift ;;
      --bind_ip=* | --port=* | --keyFile=* | --clusterAuthMode=* | --replSet=* | --logpath=* | --pidfilepath=* | --config=* | -f=*) ;;
      # mongosh comes without TLS
      --tlsMode | --sslMode) args+=(--tlsMode allowTLS); shift ;;
      --tlsMode=* | --sslMode=*) args+=(--tlsMode allowTLS) ;;
      *) args+=("$1") ;;
    esac
    [ $# = 0 ] || shift
  done
  [ -z "$INIT_CONFIG" ] || args+=(--config "$INIT_CONFIG")
  mongod "${args[@]}" & SERVER=$!
  local i
  for ((i = 0; i < 600; i++)); do
    ! (: </dev/tcp/127.0.0.1/27017) 2>/dev/null || return 0
    kill -0 "$SERVER" 2>/dev/null || fail "the server does not start"
    sleep 0.1
  done
  fail "the server does not answer"
}
stop_after_init() { kill "$SERVER"; wait "$SERVER" || fail "the server did not stop cleanly"; }

# Init scripts use this too, under its name in the official image.
mongo=(mongosh --host 127.0.0.1 --port 27017 --quiet)

make_root_user() {
  # the password is passed in the environment, which other users of the machine cannot read
  "${mongo[@]}" --norc admin --eval '
    db.createUser({
      user: process.env.MONGO_INITDB_ROOT_USERNAME, pwd: process.env.MONGO_INITDB_ROOT_PASSWORD,
      roles: [{ role: "root", db: "admin" }] });' >/dev/null
}

run_init_files() {
  local f
  for f; do
    note "running $f"
    # shellcheck source=/dev/null
    case $f in
      # executable scripts run by themselves, others in this shell
      *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
      *.js) "${mongo[@]}" "$MONGO_INITDB_DATABASE" "$f" ;;
      *)    note "ignoring $f: not a kind that is run" ;;
    esac
  done
}

main() {
  [ "${1:0:1}" != - ] || set -- mongod "$@"
  if [ "${1:-}" = mongod ] && ! wants_help "$@"; then
    inspect_arguments "${@:2}"
    prepare_directories
  fi
  # everything below, and mongosh, runs as mongodb, not as root
  if [ "$(id -u)" = 0 ] && [[ ${1:-} == mongo* ]]; then
    [ -z "${INIT_CONFIG:-}" ] || rm -f "$INIT_CONFIG"
    exec setpriv --reuid=mongodb --regid=mongodb --init-groups -- "$BASH" "$0" "$@"
  fi
  if [ "${1:-}" != mongod ] || wants_help "$@"; then exec "$@"; fi

  setting MONGO_INITDB_ROOT_USERNAME
  setting MONGO_INITDB_ROOT_PASSWORD
  local init_files=(/docker-entrypoint-initdb.d/*.sh /docker-entrypoint-initdb.d/*.js)
  if [ -n "$MONGO_INITDB_ROOT_USERNAME$MONGO_INITDB_ROOT_PASSWORD" ]; then
    if [ -z "$MONGO_INITDB_ROOT_USERNAME" ] || [ -z "$MONGO_INITDB_ROOT_PASSWORD" ]; then
      fail "MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD are of use only together: set both or none"
    fi
    has --auth "$@" || set -- "$@" --auth
  fi
  if is_initialised; then
    note "data directory is initialised, starting"
  elif [ -n "$MONGO_INITDB_ROOT_USERNAME" ] || [ ${#init_files[@]} -gt 0 ]; then
    ls /docker-entrypoint-initdb.d/ >/dev/null   # fail now, not after the work, if it can't be read
    export MONGO_INITDB_DATABASE=${MONGO_INITDB_DATABASE:-test}
    start_for_init "${@:2}"
    [ -z "$MONGO_INITDB_ROOT_USERNAME" ] || make_root_user
    run_init_files /docker-entrypoint-initdb.d/*
    stop_after_init
    note "initialised, starting"
  fi
  [ -z "$INIT_CONFIG" ] || rm -f "$INIT_CONFIG"
  # by default, mongod listens on localhost only
  [ -n "$BINDS" ] || set -- "$@" --bind_ip_all
  unset MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD MONGO_INITDB_DATABASE
  exec "$@"
}

# A script that sources this file gets the functions only.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
