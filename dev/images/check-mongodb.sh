#!/usr/bin/env bash
# check-mongodb.sh IMAGE…: proves, on real containers, that an image keeps the contract of the official mongo image.
# shellcheck disable=SC2154
. "$(dirname "$0")/check-lib.sh"

# ask NAME PORT USER PASSWORD JAVASCRIPT: over the container's network address; an empty USER means no login
ask() {
  docker exec -e U="$3" -e P="$4" "$id-$1" sh -c 'HOME=/tmp exec mongosh --quiet --norc --host "$(hostname -i)" --port "$1" ${U:+-u "$U" -p "$P"} --eval "$2"' - "$2" "$5"
}
# Over the network, because the temporary server listens on 127.0.0.1 only. bash is faster than mongosh.
ready() { becomes "$1" in_it "$1" bash -c ": </dev/tcp/\$(hostname -i)/${2:-27017}"; }

check() {
  local image=$1 secret='it'\''s "a" $ecret \\ ünd' dir=$work/$count
  # the metadata of the image
  is 'port' 'map[27017/tcp:{}]' "$(of_image "$image" .Config.ExposedPorts)"
  is 'volumes' 'map[/data/configdb:{} /data/db:{}]' "$(of_image "$image" .Config.Volumes)"
  is 'command' '[mongod]' "$(of_image "$image" .Config.Cmd)"
  is 'uid and gid' '999:999' "$(once "$image" sh -c 'echo $(id -u mongodb):$(id -g mongodb)')"
  is 'other commands run as they are, as root' 0 "$(once "$image" id -u)"
  is 'the version it names' "db version v$(env_of "$image" MONGO_VERSION)" "$(once "$image" --version | sed -n 1p)"
  no 'a user without a password is refused' once -e MONGO_INITDB_ROOT_USERNAME=a "$image"
  no 'a password twice is refused' once -e MONGO_INITDB_ROOT_USERNAME=a -e MONGO_INITDB_ROOT_PASSWORD=a -e MONGO_INITDB_ROOT_PASSWORD_FILE=/etc/hostname "$image"

  # a replica set with a key file, a port, init files, passwords from files, a data directory on the host: all at once
  mkdir -p "$dir/init" "$dir/data"
  printf '%s\n' "$secret" >"$dir/password"; echo 'Åsa x' >"$dir/user"; chmod 644 "$dir/password" "$dir/user"
  echo 'db.one.insertOne({n: 1})' >"$dir/init/1.js"
  echo '"${mongo[@]}" "$MONGO_INITDB_DATABASE" --eval "db.one.insertOne({n: 2})"' >"$dir/init/2.sh"
  printf '#!/bin/sh\nmongosh --quiet "$MONGO_INITDB_DATABASE" --eval "db.one.insertOne({n: 3})"\n' >"$dir/init/3.sh"; chmod 755 "$dir/init/3.sh" "$dir/init"
  head -c 300 /dev/urandom | base64 -w0 >"$dir/x"; chmod 400 "$dir/x"; as_root chown 999:999 "$dir/x"
  create a -e MONGO_INITDB_ROOT_USERNAME_FILE=/run/user -e MONGO_INITDB_ROOT_PASSWORD_FILE=/run/password -e MONGO_INITDB_DATABASE=mine \
    -v "$dir/user:/run/user:ro" -v "$dir/password:/run/password:ro" -v "$dir/init:/docker-entrypoint-initdb.d:ro" -v "$dir/data:/data/db" \
    "$image" --replSet rs0 --keyFile /etc/x --port 41234
  as_root docker cp -a -q "$dir/x" "$id-a:/etc/x"; docker start "$id-a" >/dev/null
  # in parallel: another user, a configuration file, another data directory, no password
  install -d -o 1234 -g 1234 "$dir/theirs"
  printf 'storage: {dbPath: /srv/db}\nnet: {port: 27018, bindIp: 0.0.0.0}\nsystemLog: {destination: file, path: /srv/log}\nsecurity: {authorization: enabled}\n' >"$dir/conf"
  chmod 644 "$dir/conf"
  start b --user 1234:1234 -e MONGO_INITDB_ROOT_USERNAME=u -e MONGO_INITDB_ROOT_PASSWORD=x -v "$dir/conf:/etc/mongod.conf:ro" \
    -v "$dir/theirs:/srv" "$image" mongod --config /etc/mongod.conf --dbpath=/srv/db
  ready a 41234 || { say 'not ok: it does not start'; exit 1; }
  # as soon as it answers
  no 'nobody gets in without a password' ask a 41234 '' '' 'db.adminCommand({listDatabases: 1})'
  no 'a wrong password is refused' ask a 41234 'Åsa x' wrong 1
  in_a() { ask a 41234 'Åsa x' "$secret" "$1"; }
  is 'a replica set' 1 "$(in_a 'rs.initiate({_id: "rs0", members: [{_id: 0, host: "localhost:41234"}]}).ok')"
  primary() { [ "$(in_a 'db.hello().isWritablePrimary')" = true ]; }
  ok 'becomes primary' becomes a primary
  is 'init files ran in order' '1,2,3' "$(in_a "db.getSiblingDB('mine').one.find().map(x => x.n).toArray().join()")"
  is 'writes are kept' true "$(in_a "db.getSiblingDB('mine').one.insertOne({n: 4}, {writeConcern: {w: 'majority'}}).acknowledged")"
  is 'the user is root' root "$(in_a 'db.runCommand({connectionStatus: 1}).authInfo.authenticatedUserRoles[0].role')"
  is 'the server runs as mongodb' 999 "$(in_it a stat -c %u /proc/1)"
  is 'it is process 1' mongod "$(in_it a cat /proc/1/comm)"
  no 'its environment has no password' in_it a grep -qa 'MONGO_INITDB_' /proc/1/environ
  is 'data belongs to 999' 999 "$(stat -c %u "$dir/data/WiredTiger")"
  is 'mongosh uses its cache' 0 "$(in_it a sh -c 'MONGOSH_CHECK_CACHE=1 mongosh; echo $?')"

  # stop, start: the data is there, nothing is initialised again
  docker stop -t 20 "$id-a" >/dev/null
  is 'SIGTERM ends it cleanly' 0 "$(docker inspect -f '{{.State.ExitCode}}' "$id-a")"
  ok 'it starts again' docker start "$id-a"; ok 'and is ready' ready a 41234; ok 'and primary' becomes a primary
  is 'with its data, init files not run again' 4 "$(in_a "db.getSiblingDB('mine').one.countDocuments()")"
  docker kill "$id-a" >/dev/null; docker start "$id-a" >/dev/null; ok 'it recovers from SIGKILL' ready a 41234
  no 'and asks for a password' ask a 41234 '' '' 'db.adminCommand({listDatabases: 1})'
  docker rm -f "$id-a" >/dev/null

  ok 'an arbitrary user and a configuration file work' ready b 27018
  is 'it is that user' 1234 "$(in_it b stat -c %u /proc/1)"
  is 'its password is asked for' ok "$(ask b 27018 u x "print('ok')")"
  no 'in this one too' ask b 27018 '' '' 'db.adminCommand({listDatabases: 1})'
  ok 'the log lies where it says' test -s "$dir/theirs/log"
  start c "$image"; start d -v "$dir/password:/docker-entrypoint-initdb.d/broken.js:ro" "$image"
  ok 'without a user' ready c
  is 'anyone gets in' 1 "$(ask c 27017 '' '' 'db.adminCommand({listDatabases: 1}).ok')"
  no 'a broken init file stops it' ready d
  remove_all
}

check_all "$@"
