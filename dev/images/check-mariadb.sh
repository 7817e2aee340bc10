#!/usr/bin/env bash
# check-mariadb.sh IMAGE…: proves, on real containers, that an image keeps the contract of the official mariadb image.
. "$(dirname "$0")/check-lib.sh"

# Over TCP: the temporary server of the initialisation answers on the unix socket too
ready() { becomes "$1" in_it "$1" healthcheck.sh --connect --innodb_initialized; }
query() { # NAME USER DB PASSWORD SQL [PORT]: over the container's network address
  docker exec -e MYSQL_PWD="$4" "$id-$1" sh -c 'mariadb --skip-ssl -BNh "$(hostname -i)" -u "$1" -D "$2" -e "$3" -P "$4"' - "$2" "$3" "$5" "${6:-3306}"
}

check() {
  local image=$1 version major
  version=$(env_of "$image" MARIADB_VERSION); version=${version#*:}; major=${version%%.*}

  # the metadata of the image
  is 'port' 'map[3306/tcp:{}]' "$(of_image "$image" .Config.ExposedPorts)"
  is 'volume' 'map[/var/lib/mysql:{}]' "$(of_image "$image" .Config.Volumes)"
  is 'command' '[mariadbd]' "$(of_image "$image" .Config.Cmd)"
  is 'uid and gid' '999:999' "$(once "$image" sh -c 'echo $(id -u mysql):$(id -g mysql)')"
  is 'other commands run as they are, as root' 0 "$(once "$image" id -u)"
  ok '--version' once "$image" --version
  is 'names of MySQL, up to 10' "$([ "$major" -gt 10 ] || echo /usr/bin/mysql)" "$(once "$image" sh -c 'command -v mysql || :')"
  no 'no password is refused' once "$image"
  no 'a password twice is refused' once -e MARIADB_ROOT_PASSWORD=a -e MARIADB_ROOT_PASSWORD_FILE=/etc/hostname "$image"
  no 'a wrong argument is refused' once -e MARIADB_ROOT_PASSWORD=a "$image" --no-such-option

  # passwords from files, every kind of init file, a data directory on the host, configuration, arguments
  local secret='it'\''s "a" $ecret \\ ünd 🐘' dir=$work/$version
  mkdir -p "$dir/init" "$dir/data" "$dir/conf"; chmod 755 "$dir"/*
  printf '%s\n' "$secret" >"$dir/root"; printf 'us%s\n' "$secret" >"$dir/user"; chmod 644 "$dir/root" "$dir/user"
  printf '[mariadbd]\nmax_connections=33\nsql_mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES\n' >"$dir/conf/my.cnf"; chmod 644 "$dir/conf/my.cnf"
  echo 'CREATE TABLE one (n int); INSERT INTO one VALUES (1);' >"$dir/init/1.sql"
  echo 'INSERT INTO one VALUES (2);' | gzip >"$dir/init/2.sql.gz"
  echo 'INSERT INTO one VALUES (3);' | xz >"$dir/init/3.sql.xz"
  once -i --entrypoint zstd "$image" -c <<<'INSERT INTO one VALUES (4);' >"$dir/init/4.sql.zst"
  echo 'docker_process_sql <<<"INSERT INTO one VALUES (5)"' >"$dir/init/5.sh"
  printf '#!/bin/sh\nmariadb -uroot -p"$MARIADB_ROOT_PASSWORD" "$MYSQL_DATABASE" -e "INSERT INTO one VALUES (6)"\n' >"$dir/init/6.sh"; chmod 755 "$dir/init/6.sh"
  start a -e MARIADB_ROOT_PASSWORD_FILE=/run/root -e MARIADB_USER='Åsa x' -e MARIADB_PASSWORD_FILE=/run/user -e MARIADB_DATABASE='my_db`' \
    -e MARIADB_MYSQL_LOCALHOST_USER=1 -e MARIADB_MYSQL_LOCALHOST_GRANTS='RELOAD, PROCESS' \
    -v "$dir/root:/run/root:ro" -v "$dir/user:/run/user:ro" -v "$dir/init:/docker-entrypoint-initdb.d:ro" -v "$dir/data:/var/lib/mysql" \
    -v "$dir/conf/my.cnf:/etc/mysql/conf.d/my.cnf:ro" "$image" --port=3307 --character-set-server=latin1 --collation-server=latin1_swedish_ci
  # ready checks the port that the healthcheck file names
  ready a || { say 'not ok: it does not start'; exit 1; }
  as_root_at_a() { query a root 'my_db`' "$secret" "$1" 3307; }
  is 'init files ran in order' '1,2,3,4,5,6' "$(as_root_at_a 'SELECT GROUP_CONCAT(n) FROM one')"
  is 'the user sees its database' 6 "$(query a 'Åsa x' 'my_db`' "us$secret" 'SELECT COUNT(*) FROM one' 3307)"
  no 'but no other' query a 'Åsa x' mysql "us$secret" 'SELECT 1' 3307
  no 'nor one that only looks like it' query a 'Åsa x' 'my_db`' "us$secret" 'CREATE DATABASE "myxdb`"' 3307
  is 'the configuration counts' 33 "$(as_root_at_a 'SELECT @@max_connections')"
  is 'arguments count' latin1 "$(as_root_at_a 'SELECT @@character_set_server')"
  is 'time zones are known' '2024-07-01 14:00:00' "$(as_root_at_a "SELECT CONVERT_TZ('2024-07-01 12:00:00', 'UTC', 'Europe/Berlin')")"
  is 'no names are looked up' '1 0' "$(as_root_at_a 'SELECT @@skip_name_resolve, @@host_cache_size' | tr '\t' ' ')"
  is 'all addresses are listened on' 'NULL' "$(as_root_at_a "SELECT IF(COALESCE(@@bind_address, '') IN ('', '*', '0.0.0.0'), NULL, @@bind_address)")"
  is 'these users are there' 'healthcheck@127.0.0.1 healthcheck@::1 healthcheck@localhost mariadb.sys@localhost mysql@localhost root@% root@localhost Åsa x@%' \
    "$(as_root_at_a "SELECT GROUP_CONCAT(CONCAT(user, '@', host) ORDER BY user = 'Åsa x', user, host SEPARATOR ' ') FROM mysql.global_priv WHERE NOT COALESCE(JSON_VALUE(priv, '\$.is_role'), 0)")"
  is 'root logs in by password' mysql_native_password "$(as_root_at_a "SELECT plugin FROM mysql.user WHERE user = 'root' AND host = 'localhost'")"
  is 'no test database' 0 "$(as_root_at_a "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'test'")"
  no 'a wrong password is refused' query a root mysql wrong 'SELECT 1' 3307
  no 'an empty password is refused' query a root mysql '' 'SELECT 1' 3307
  no 'on the socket too' in_it a mariadb -uroot -e 'SELECT 1'
  ok 'mysql@localhost is let in' in_it a setpriv --reuid=mysql --clear-groups mariadb -umysql -e 'SELECT 1'
  is 'the server runs as mysql' 999 "$(in_it a stat -c %u /proc/1)"
  is 'it is process 1' mariadbd "$(in_it a cat /proc/1/comm)"
  no 'its environment has no password' in_it a grep -qa 'PASSWORD=' /proc/1/environ
  is 'data belongs to 999' 999 "$(stat -c %u "$dir/data/ibdata1")"
  is 'the version is noted' "${version%%[-+]*}-MariaDB" "$(cat "$dir"/data/m*_upgrade_info)"

  # in parallel: another user, hashes, older names, a random password, a broken init file
  install -d -o 1234 -g 1234 "$dir/theirs"
  local hash='*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'   # of "password"
  start b --user 1234:1234 -e MYSQL_ROOT_PASSWORD=x -e MYSQL_USER=u -e MYSQL_PASSWORD=y -e MYSQL_DATABASE=d -e MARIADB_INITDB_SKIP_TZINFO=1 \
    -e MYSQL_ROOT_HOST=localhost -v "$dir/theirs:/var/lib/mysql" "$image"
  start c -e MARIADB_ROOT_PASSWORD_HASH="$hash" -e MARIADB_USER=u -e MARIADB_PASSWORD_HASH="$hash" -e MARIADB_DATABASE=d -e MARIADB_INITDB_SKIP_TZINFO=1 \
    -v "$dir/init/1.sql:/docker-entrypoint-initdb.d/1.sql:ro" "$image" mariadbd --datadir=/srv/mysql
  start d -e MARIADB_RANDOM_ROOT_PASSWORD=1 -e MARIADB_INITDB_SKIP_TZINFO=1 "$image"
  start e -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 -e MARIADB_INITDB_SKIP_TZINFO=1 -v "$dir/root:/docker-entrypoint-initdb.d/broken.sql:ro" "$image"

  # stop, start: the data is there, nothing is initialised again
  docker stop -t 20 "$id-a" >/dev/null
  is 'SIGTERM ends it cleanly' 0 "$(docker inspect -f '{{.State.ExitCode}}' "$id-a")"
  ok 'it starts again' docker start "$id-a"; ok 'and is ready' ready a
  is 'with its data, init files not run again' 6 "$(as_root_at_a 'SELECT COUNT(*) FROM one')"
  docker kill "$id-a" >/dev/null; docker start "$id-a" >/dev/null; ok 'it recovers from SIGKILL' ready a
  docker rm -f "$id-a" >/dev/null

  # data of another version is upgraded on request
  echo '10.2.0-MariaDB' | as_root tee "$dir"/data/m*_upgrade_info >/dev/null; rm -f "$dir/data/.my-healthcheck.cnf"
  start a -e MARIADB_AUTO_UPGRADE=1 -v "$dir/data:/var/lib/mysql" "$image"; ok 'MARIADB_AUTO_UPGRADE works' ready a
  is 'notes the version' "${version%%[-+]*}-MariaDB" "$(tr -d '\0' <"$(echo "$dir"/data/m*_upgrade_info)" | sed 's/^\([0-9.]*-MariaDB\).*/\1/')"
  ok 'and leaves a copy of the system tables' test -s "$dir/data/system_mysql_backup_10.2.0-MariaDB.sql.zst"
  is 'and the password' 6 "$(query a root 'my_db`' "$secret" 'SELECT COUNT(*) FROM one')"

  # the containers that were started in parallel
  ok 'an arbitrary user works, and the older names' ready b
  is 'it is that user' 1234 "$(in_it b stat -c %u /proc/1)"
  ok 'the user is there' query b u d y 'CREATE TABLE t (n int)'
  no 'root is not let in from elsewhere' query b root d x 'SELECT 1'
  ok 'root is let in from the container' in_it b mariadb -uroot -px -e 'SELECT 1'
  is 'no time zones' NULL "$(query b u d y "SELECT CONVERT_TZ('2024-07-01 12:00:00', 'UTC', 'Europe/Berlin')")"
  ok 'hashes, and a data directory elsewhere' ready_elsewhere c
  ok 'the password of the hash' query c u d password 'SELECT * FROM one'
  ok 'that of root too' in_it c mariadb -uroot -ppassword -e 'SELECT 1'
  ok 'a random password' ready d
  ok 'which is told' query d root mysql "$(docker logs "$id-d" 2>&1 | sed -n 's/.*GENERATED ROOT PASSWORD: //p')" 'SELECT 1'
  no 'a broken init file stops it' ready e
  remove_all
}
ready_elsewhere() { becomes "$1" in_it "$1" healthcheck.sh --datadir=/srv/mysql --connect --innodb_initialized; }

check_all "$@"
