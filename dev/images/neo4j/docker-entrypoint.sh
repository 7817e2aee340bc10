#!/usr/bin/env bash
# Starts Neo4j in a container: settings and the first password come from the environment. The variables, folders and
# rules are those that the official neo4j image documents; the script is our own.
set -Eeuo pipefail
shopt -s nullglob

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
note() { printf '%s\n' "$*" >&2; }
is_root() { [ "$(id -u)" = 0 ]; }

conf=$NEO4J_HOME/conf/neo4j.conf
# The database's user: neo4j if the container runs as root, otherwise the user given by docker run --user
as_user=()
if is_root; then as_user=(setpriv --reuid=neo4j --regid=neo4j --init-groups --); fi

# Variables NEO4J_* that are not settings of the server
NO_SETTINGS=(NEO4J_ACCEPT_LICENSE_AGREEMENT NEO4J_AUTH NEO4J_AUTH_PATH NEO4J_CONF NEO4J_DEBUG NEO4J_DEPRECATION_WARNING
  NEO4J_EDITION NEO4J_HOME NEO4J_PLUGINS NEO4J_SHA256 NEO4J_TARBALL NEO4J_VERSION)

# NEO4J_x_FILE names a file that holds NEO4J_x
read_secret_files() {
  local name file
  for name in $(compgen -e | grep '^NEO4J_.*_FILE$'); do
    file=${!name}
    unset "$name"
    [ -n "$file" ] || continue
    [ -r "$file" ] || fail "$name names $file, which can't be read"
    export "${name%_FILE}=$(cat "$file")"
  done
}

# Makes neo4j the owner, and only reader, of the files from the image and from docker cp. Touches only files that
# differ, because a change of owner copies the file into the container's own layer.
own_home() {
  is_root || return 0
  find "$NEO4J_HOME" ! -user neo4j -exec chown -h neo4j:neo4j {} +
  chmod 700 "$NEO4J_HOME" "$NEO4J_HOME/conf"
  find "$NEO4J_HOME/conf" -type f ! -perm 600 -exec chmod 600 {} +
}

readable() { "${as_user[@]}" test -r "$1" || fail "$1 can't be read by user $("${as_user[@]}" id -u)"; }
# A folder that the server writes to: neo4j becomes its owner if anything in it is not writable
writable() {
  if is_root; then
    if ! "${as_user[@]}" test -w "$1" || [ -n "$("${as_user[@]}" find "$1" ! -writable ! -type l -print -quit 2>&1)" ]; then
      note "$1 is not writable for user neo4j: changing its owner"
      chown -R neo4j:neo4j "$1"
    fi
  elif [ ! -w "$1" ]; then
    fail "$1 can't be written by user $(id -u): change its owner, or mount another"
  fi
}

folders() {
  if [ -d /conf ]; then
    readable /conf
    # an empty folder, as used with dump-config, keeps the image's configuration
    if [ -n "$(find /conf -type f -print -quit)" ]; then
      rm -rf "$NEO4J_HOME"/conf/*
      find /conf -type f -exec cp --preserve=mode {} "$NEO4J_HOME/conf" \;
      own_home
    fi
  fi
  if [ -d /ssl ]; then
    readable /ssl
    rm -rf "$NEO4J_HOME/certificates"
    ln -s /ssl "$NEO4J_HOME/certificates"
  fi
  if [ -d /plugins ]; then readable /plugins; export NEO4J_server_directories_plugins=${NEO4J_server_directories_plugins:-/plugins}; fi
  if [ -d /import ]; then readable /import; export NEO4J_server_directories_import=${NEO4J_server_directories_import:-/import}; fi
  if [ -d /licenses ]; then readable /licenses; export NEO4J_server_directories_licenses=${NEO4J_server_directories_licenses:-/licenses}; fi
  if [ -d /logs ]; then writable /logs; export NEO4J_server_directories_logs=${NEO4J_server_directories_logs:-/logs}; fi
  [ ! -d /data ] || writable /data
}

in_conf() { [ -e "$2" ] && SETTING=$1 awk 'index($0, ENVIRON["SETTING"] "=") == 1 { found = 1 } END { exit !found }' "$2"; }
append()  { # FILE LINE…: also if the last line of the file has no line end
  local file=$1; shift
  [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
  printf '%s\n' "$@" >>"$file"
}
default_setting() { in_conf "$1" "$conf" || append "$conf" "$1=$2"; }
# A setting from the environment replaces the one in the file; Java options are added to those in the file.
set_setting() {
  local file=$conf rest
  [[ $1 != apoc.* ]] || file=$NEO4J_HOME/conf/apoc.conf
  if [ "$1" != server.jvm.additional ] && in_conf "$1" "$file"; then
    rest=$(SETTING=$1 awk 'index($0, ENVIRON["SETTING"] "=") != 1' "$file"; echo x)
    printf %s "${rest%x}" >"$file"
  elif in_conf "$1" "$file" && grep -qxF -e "$1=$2" "$file"; then
    return    # an option that an earlier start added
  fi
  append "$file" "$1=$2"
}
settings() {
  local name setting
  default_setting server.memory.pagecache.size 512M
  default_setting server.default_listen_address 0.0.0.0
  for name in $(compgen -e | grep '^NEO4J_' | LC_ALL=C sort -r); do
    [[ " ${NO_SETTINGS[*]} " != *" $name "* ]] && [ -n "${!name}" ] || continue
    setting=${name#NEO4J_} setting=${setting//_/.} setting=${setting//../_}
    if [[ $setting == [0-9]* ]]; then note "warning: $name is no setting: the name of a setting can't start with a digit"; continue; fi
    set_setting "$setting" "${!name}"
  done
  if is_root; then own_home; fi
}

set_password() {
  local auth=${NEO4J_AUTH:-} password change=() minimum
  if [ -n "${NEO4J_AUTH_PATH:-}" ]; then
    [ -f "$NEO4J_AUTH_PATH" ] || fail "NEO4J_AUTH_PATH names $NEO4J_AUTH_PATH, which does not exist"
    readable "$NEO4J_AUTH_PATH"
    auth=$(cat "$NEO4J_AUTH_PATH")
  fi
  case $auth in
    '') return ;;
    none) set_setting dbms.security.auth_enabled false; return ;;
  esac
  [[ $auth =~ ^([^/]+)/([^/]+)/?([tT][rR][uU][eE])?$ ]] || fail "NEO4J_AUTH is neither 'none' nor neo4j/password nor neo4j/password/true"
  password=${BASH_REMATCH[2]}
  [ -z "${BASH_REMATCH[3]}" ] || change=(--require-password-change)
  [ "$password" != neo4j ] || fail "the password can't be 'neo4j', which is the default"
  [ "${BASH_REMATCH[1]}" = neo4j ] || fail "the user in NEO4J_AUTH must be neo4j"
  minimum=$(sed -n 's/^dbms.security.auth_minimum_password_length=//p' "$conf" | tail -n 1)
  [ ${#password} -ge "${minimum:-8}" ] || fail "the password is too short: the minimum is ${minimum:-8} characters" \
    "(setting dbms.security.auth_minimum_password_length)"
  # Takes effect only in a data directory without users; harmless otherwise
  "${as_user[@]}" neo4j-admin dbms set-initial-password "${change[@]}" ${EXTENDED_CONF+--expand-commands} -- "$password"
}

main() {
  read_secret_files
  [ -z "${NEO4J_PLUGINS:-}${NEO4JLABS_PLUGINS:-}" ] || fail "NEO4J_PLUGINS: this image downloads no plugins; put their jars in /plugins"
  ! is_root || export HOME=$NEO4J_HOME
  own_home
  folders
  settings
  [ "${1:-}" != neo4j ] || set_password
  if [ "${1:-}" = dump-config ]; then
    [ -d /conf ] || fail "mount a folder at /conf, to which the configuration is dumped"
    writable /conf
    "${as_user[@]}" cp -r "$NEO4J_HOME"/conf/* /conf
    echo 'Config Dumped'
    exit
  fi
  # the server has no use for the password
  unset NEO4J_AUTH NEO4J_AUTH_PATH
  [ "${1:-}" != neo4j ] || set -- neo4j console ${EXTENDED_CONF+--expand-commands}
  exec "${as_user[@]}" "$@"
}

# A script that sources this file gets the functions only.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
