#!/usr/bin/env bash
# check-postgres.sh IMAGE…: proves, on real containers, that an image keeps the contract of the official postgres image.
. "$(dirname "$0")/check-lib.sh"

# Over TCP: the temporary server of the initialisation answers on the unix socket too
ready() { becomes "$1" in_it "$1" pg_isready -q -h 127.0.0.1 -U postgres -d postgres; }
query() { # NAME USER DB PASSWORD SQL: over the container's network address, so the password counts
  docker exec -e PGPASSWORD="$4" "$id-$1" sh -c 'psql -XtA -h "$(hostname -i)" -U "$1" -d "$2" -c "$3"' - "$2" "$3" "$5"
}

check() {
  local image=$1 major
  major=$(env_of "$image" PG_MAJOR)

  # the metadata of the image
  is 'stop signal' SIGINT "$(of_image "$image" .Config.StopSignal)"
  is 'port' 'map[5432/tcp:{}]' "$(of_image "$image" .Config.ExposedPorts)"
  is 'volume' 'map[/var/lib/postgresql/data:{}]' "$(of_image "$image" .Config.Volumes)"
  is 'uid and gid' '999:999' "$(once "$image" sh -c 'echo $(id -u postgres):$(id -g postgres)')"
  is 'other commands run as they are, as root' 0 "$(once "$image" id -u)"
  ok '--version' once "$image" --version
  ok 'PG_VERSION' once "$image" sh -c 'case $PG_VERSION in $PG_MAJOR.*) ;; *) exit 1 ;; esac'
  no 'no password is refused' once "$image"
  no 'a password twice is refused' once -e POSTGRES_PASSWORD=a -e POSTGRES_PASSWORD_FILE=/etc/hostname "$image"

  # password from a file, every kind of init file, a data directory on the host, arguments
  local secret='it'\''s "a" $ecret \\ ünd 🐘' dir=$work/$major
  mkdir -p "$dir/init" "$dir/data"; printf '%s\n' "$secret" >"$dir/password"; chmod 644 "$dir/password"
  echo 'CREATE TABLE one (n int); INSERT INTO one VALUES (1);' >"$dir/init/1.sql"
  echo 'INSERT INTO one VALUES (2);' | gzip >"$dir/init/2.sql.gz"
  echo 'INSERT INTO one VALUES (3);' | xz >"$dir/init/3.sql.xz"
  once -i --entrypoint zstd "$image" -c <<<'INSERT INTO one VALUES (4);' >"$dir/init/4.sql.zst"
  echo 'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO one VALUES (5)"' >"$dir/init/5.sh"
  printf '#!/bin/sh\npsql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO one VALUES (6)"\n' >"$dir/init/6.sh"; chmod 755 "$dir/init/6.sh"
  echo 'echo "INSERT INTO one VALUES (7)" | docker_process_sql' >"$dir/init/7.sh"; chmod 755 "$dir/init"
  start a -e POSTGRES_PASSWORD_FILE=/run/password -e POSTGRES_USER='Åsa x' -e POSTGRES_DB="my db'" -e POSTGRES_INITDB_ARGS='--data-checksums' \
    -v "$dir/password:/run/password:ro" -v "$dir/init:/docker-entrypoint-initdb.d:ro" -v "$dir/data:/var/lib/postgresql/data" \
    "$image" -c max_connections=33
  ready a || { say 'not ok: it does not start'; exit 1; }
  is 'init files ran in order' '1,2,3,4,5,6,7' "$(query a 'Åsa x' "my db'" "$secret" "SELECT string_agg(n::text, ',') FROM one")"
  is 'arguments count' 33 "$(query a 'Åsa x' "my db'" "$secret" 'SHOW max_connections')"
  is 'initdb arguments count' on "$(query a 'Åsa x' "my db'" "$secret" 'SHOW data_checksums')"
  is 'UTF-8' UTF8 "$(query a 'Åsa x' "my db'" "$secret" 'SHOW server_encoding')"
  is 'locale' en_US.utf8 "$(query a 'Åsa x' "my db'" "$secret" "SELECT datcollate FROM pg_database WHERE datname = current_database()")"
  is 'all names are listened on' '*' "$(query a 'Åsa x' "my db'" "$secret" 'SHOW listen_addresses')"
  no 'a wrong password is refused' query a 'Åsa x' "my db'" wrong 'SELECT 1'
  no 'an empty password is refused' query a 'Åsa x' "my db'" '' 'SELECT 1'
  is 'the server runs as postgres' 999 "$(in_it a stat -c %u /proc/1)"
  is 'it is process 1' postgres "$(in_it a cat /proc/1/comm)"
  no 'its environment has no password' in_it a grep -qa 'POSTGRES_PASSWORD=' /proc/1/environ
  is 'data belongs to 999' 999 "$(stat -c %u "$dir/data/PG_VERSION")"
  ok 'contrib is there' query a 'Åsa x' "my db'" "$secret" 'CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_stat_statements'

  # stop, start: the data is there, nothing is initialised again
  ok 'it stops' docker stop -t 20 "$id-a"
  is 'stopping is clean' 0 "$(docker inspect -f '{{.State.ExitCode}}' "$id-a")"
  ok 'it starts again' docker start "$id-a"; ok 'and is ready' ready a
  is 'with its data, init files not run again' 7 "$(query a 'Åsa x' "my db'" "$secret" 'SELECT count(*) FROM one')"
  docker kill -s TERM "$id-a" >/dev/null; is 'SIGTERM ends it cleanly' 0 "$(timeout 60 docker wait "$id-a")"
  docker start "$id-a" >/dev/null; ok 'and starts' ready a; docker kill "$id-a" >/dev/null
  docker start "$id-a" >/dev/null; ok 'it recovers from SIGKILL' ready a

  # another user, another data directory, trust, a WAL directory
  install -d -o 1234 -g 1234 "$dir/theirs"
  start b --user 1234:1234 -e POSTGRES_PASSWORD=x -v "$dir/theirs:/var/lib/postgresql/data" "$image"; ok 'an arbitrary user works' ready b
  ok 'with its password' query b postgres postgres x 'SELECT 1'
  is 'and is that user' 1234 "$(in_it b stat -c %u /proc/1)"
  start c -e POSTGRES_HOST_AUTH_METHOD=trust -e PGDATA=/srv/pg/data -e POSTGRES_INITDB_WALDIR=/srv/wal "$image" postgres -c log_statement=all
  ok 'trust, PGDATA and the WAL directory' ready c
  ok 'trust means no password' query c postgres postgres '' 'SELECT 1'
  is 'the WAL lies there' /srv/wal "$(in_it c readlink /srv/pg/data/pg_wal)"
  start d -e POSTGRES_PASSWORD=x -v "$dir/init/1.sql:/docker-entrypoint-initdb.d/1.sql:ro" -v /dev/null:/docker-entrypoint-initdb.d/readme.txt:ro \
    -v "$dir/password:/docker-entrypoint-initdb.d/0-broken.sql:ro" "$image"
  no 'a broken init file stops it' ready d
  remove_all
}

check_all "$@"
