#!/usr/bin/env bash
# check-neo4j.sh IMAGE…: proves, on real containers, that an image keeps the contract of the official neo4j image.
. "$(dirname "$0")/check-lib.sh"

# Several servers start at the same time on few cores, so this waits up to two minutes
ready() { # NAME PASSWORD
  for _ in 1 2 3 4; do becomes "$1" query "$1" "$2" 'RETURN 1' >/dev/null && return; done
  docker logs --tail 20 "$id-$1"; return 1
}
address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$id-$1"; }
# query NAME PASSWORD CYPHER: over HTTP from outside the container; the first value of each row, without quotes
query() {
  local out
  out=$(curl -sS -m 10 -u "neo4j:$2" -H 'Content-Type: application/json' "http://$(address "$1"):7474/db/neo4j/tx/commit" \
    --data-binary "{\"statements\":[{\"statement\":\"${3//\"/\\\"}\"}]}") || return 1
  [[ $out == *'"errors":[]'* ]] || { echo "$out"; return 1; }
  grep -o '"row":\[[^]]*\]' <<<"$out" | sed 's/^"row":\[//; s/\]$//; s/"//g'
}
# shell NAME PASSWORD ARG…: cypher-shell, over Bolt
shell() { local name=$1 password=$2; shift 2; docker exec -i -e NEO4J_USERNAME=neo4j -e NEO4J_PASSWORD="$password" "$id-$name" cypher-shell --format plain "$@"; }
setting() { query "$1" "$2" "SHOW SETTINGS YIELD name, value WHERE name = '$3' RETURN value"; }
small=(-m 1g -e NEO4J_server_memory_heap_max__size=256m -e NEO4J_server_memory_pagecache_size=64m)

check() {
  local image=$1 version; version=$(env_of "$image" NEO4J_VERSION)
  local dir=$work/$version secret="-@it's \$ecret \\ ünd 🐘"
  mkdir -p "$dir/data" "$dir/theirs/data" "$dir/theirs/logs" "$dir/conf" "$dir/import" "$dir/dump"; chmod 755 "$work" "$dir" "$dir"/*

  # the metadata of the image
  is 'ports' 'map[7473/tcp:{} 7474/tcp:{} 7687/tcp:{}]' "$(of_image "$image" .Config.ExposedPorts)"
  is 'volumes' 'map[/data:{} /logs:{}]' "$(of_image "$image" .Config.Volumes)"
  is 'command' '[neo4j]' "$(of_image "$image" .Config.Cmd)"
  is 'home' /var/lib/neo4j "$(env_of "$image" NEO4J_HOME)"
  is 'other commands run as neo4j, uid and gid 7474' '7474:7474' "$(once "$image" sh -c 'echo $(id -u):$(id -g)')"
  is 'data and logs' '/data /logs' "$(once "$image" sh -c 'echo $(readlink $NEO4J_HOME/data $NEO4J_HOME/logs)')"

  # as the portal does it: configuration, certificate and password are copied into a container before it starts
  { printf '%s\n' server.memory.heap.initial_size=256m server.memory.heap.max_size=256m server.memory.pagecache.size=64m \
      server.bolt.advertised_address=localhost:41003 server.http.advertised_address=localhost:41004 \
      server.bolt.tls_level=OPTIONAL dbms.ssl.policy.bolt.enabled=true dbms.ssl.policy.bolt.base_directory=/etc/db4sci/ssl \
      dbms.ssl.policy.bolt.private_key=server.key dbms.ssl.policy.bolt.public_certificate=server.crt \
      dbms.ssl.policy.bolt.client_auth=NONE dbms.usage_report.enabled=false; } >"$dir/neo4j.conf"
  mkdir -p "$dir/etc/db4sci/ssl"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$dir/etc/db4sci/ssl/server.key" \
    -out "$dir/etc/db4sci/ssl/server.crt" 2>/dev/null
  printf 'neo4j/%s' "$secret" >"$dir/etc/db4sci/auth"; chmod 400 "$dir/etc/db4sci/auth" "$dir/etc/db4sci/ssl/server.key"
  as_root chown -R 7474:7474 "$dir/etc/db4sci"
  # KILL: the init process stays root and needs it to signal a server of another user
  create a --cap-add KILL -m 1g -e NEO4J_AUTH_PATH=/etc/db4sci/auth -e NEO4J_db_tx__log_rotation_retention__policy='3 days' "$image"
  as_root tar -C "$dir/etc" -c db4sci | docker cp -q -a - "$id-a:/etc/"
  docker cp -q "$dir/neo4j.conf" "$id-a:/var/lib/neo4j/conf/neo4j.conf"
  docker start "$id-a" >/dev/null
  # at the same time: another user, a folder /conf and /import, settings from the environment, a password to change
  as_root chown -R 1234:1234 "$dir/theirs"
  printf 'server.memory.pagecache.size=32m\ndb.format=aligned' >"$dir/conf/neo4j.conf"; echo 'a,b' >"$dir/import/x.csv"; chmod -R a+rX "$dir/conf" "$dir/import"
  printf 'neo4j/from-a-file\n' >"$dir/secret"; chmod 644 "$dir/secret"
  start b --user 1234:1234 -m 1g -e NEO4J_AUTH_FILE=/run/secret -e NEO4J_server_memory_heap_max__size=256m -e NEO4J_server_jvm_additional=-Dx.y=z \
    -v "$dir/secret:/run/secret:ro" -v "$dir/conf:/conf:ro" -v "$dir/import:/import:ro" -v "$dir/theirs/data:/data" -v "$dir/theirs/logs:/logs" "$image"

  # what is refused, while those two start
  no 'another user than neo4j is refused' once -e NEO4J_AUTH=root/long-enough "$image"
  no 'a short password is refused' once -e NEO4J_AUTH=neo4j/short "$image"
  no 'the default password is refused' once -e NEO4J_AUTH=neo4j/neo4j "$image"
  no 'nonsense is refused' once -e NEO4J_AUTH=nonsense "$image"
  no 'a missing password file is refused' once -e NEO4J_AUTH_PATH=/none "$image"
  no 'a missing secret is refused' once -e NEO4J_AUTH_FILE=/none "$image"
  no 'dump-config needs /conf' once "$image" dump-config
  ok 'dump-config' once -v "$dir/dump:/conf" "$image" dump-config

  ready a "$secret" || { say 'not ok: it does not start'; exit 1; }
  is 'version' "$version" "$(query a "$secret" 'CALL dbms.components() YIELD versions RETURN versions[0]')"
  is 'listens on all addresses by default' 0.0.0.0 "$(setting a "$secret" server.default_listen_address)"
  is 'what the file says stays' 64.00MiB "$(setting a "$secret" server.memory.pagecache.size)"
  is 'the environment adds to it' '3 days' "$(setting a "$secret" db.tx_log.rotation.retention_policy)"
  no 'a wrong password is refused' query a wrong-wrong 'RETURN 1'
  is 'cypher-shell over Bolt, variables for user and password' "$(printf '1\n1')" "$(shell a "$secret" 'RETURN 1')"
  is 'and with TLS' "$(printf '1\n1')" "$(shell a "$secret" -a bolt+ssc://localhost 'RETURN 1')"
  is 'parameters' "$(printf 'p\n"it'\''s \\"x\\" \\ $y 🐘"')" "$(printf '%s\n' ":param {p: 'it\\'s \"x\" \\\\ \$y 🐘'}" 'RETURN $p AS p;' | shell a "$secret")"
  no 'it stops at the first error' shell a "$secret" -d system <<<'CREATE USER neo4j SET PASSWORD "abcdefgh12"; SHOW USERS;'
  is 'the server runs as neo4j' 7474 "$(in_it a sh -c 'stat -c %u /proc/$(pgrep -x java)')"
  no 'its environment has no password' in_it a sh -c 'grep -qa "NEO4J_AUTH" /proc/$(pgrep -x java)/environ'
  is 'configuration is private' '600 neo4j' "$(in_it a stat -c '%a %U' /var/lib/neo4j/conf/neo4j.conf)"
  ok 'messages are in the log of the container' sh -c "docker logs '$id-a' 2>&1 | grep -q 'Started\.'"
  ok 'something to keep' query a "$secret" 'CREATE (:Kept {n: 1}) RETURN 1'

  ready b from-a-file || failed=$((failed + 1))
  is 'it is the other user' 1234 "$(in_it b sh -c 'stat -c %u /proc/$(pgrep -x java)')"
  is '/conf is used' 32.00MiB "$(setting b from-a-file server.memory.pagecache.size)"
  is 'a last line without an end is kept' aligned "$(setting b from-a-file db.format)"
  is 'LOAD CSV reads /import' a "$(query b from-a-file "LOAD CSV FROM 'file:///x.csv' AS r RETURN r[0]")"
  ok 'options of Java' in_it b sh -c 'tr "\0" "\n" </proc/$(pgrep -x java)/cmdline | grep -x -e -Dx.y=z'
  docker kill -s KILL "$id-b" >/dev/null

  # stop, dump as a command, start: the data is there, another password in the environment changes nothing
  ok 'it stops' docker stop -t 60 "$id-a"
  is 'stopping is clean' 1 "$(docker inspect -f '{{.State.ExitCode}}' "$id-a" | grep -cxE '0|143')"
  ok 'a command has the data' once --volumes-from "$id-a" "$image" sh -c 'neo4j-admin database dump neo4j --to-stdout >/dev/null'
  start c --volumes-from "$id-a" "${small[@]}" -e NEO4J_AUTH=neo4j/another-one "$image"; docker start "$id-b" >/dev/null
  ok 'it starts again' ready c "$secret"
  is 'with its data' 1 "$(query c "$secret" 'MATCH (n:Kept) RETURN count(n)')"
  ok 'it recovers from SIGKILL' ready b from-a-file
  docker rm -f -v "$id-b" "$id-c" >/dev/null

  # no authentication, a directory that belongs to root; a password that must be changed; an unknown setting
  start d "${small[@]}" -e NEO4J_AUTH=none -v "$dir/data:/data" "$image"
  start e "${small[@]}" -e NEO4J_AUTH=neo4j/change-me-now/true "$image"
  start f "${small[@]}" -e NEO4J_no_such_setting=1 "$image"
  ok 'no authentication' ready d ''
  is 'data on the host belongs to 7474' 7474 "$(stat -c %u "$dir/data/databases")"
  ok 'an unknown setting stops it' sh -c 'code=$(timeout 120 docker wait "$0") && [ "$code" != 0 ]' "$id-f"
  ok 'it starts with a password that must be changed' becomes e sh -c "docker logs $id-e 2>&1 | grep -q 'Started\.'"
  is 'the password must be changed' 1 "$(query e change-me-now 'RETURN 1' | grep -c -i -e expired -e 'Forbidden')"
  remove_all
}

check_all "$@"
