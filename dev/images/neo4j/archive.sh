#!/usr/bin/env bash
# archive.sh: runs during the image build. Starts server, neo4j-admin and cypher-shell once each, so that Java stores
# the classes they load in archives. Later starts map these archives and take about half the time.
set -euo pipefail
[ "$(id -u)" != 0 ] || exec setpriv --reuid=neo4j --regid=neo4j --init-groups -- "$BASH" "$0"
lib=$NEO4J_HOME/lib password=only-for-the-build

NEO4J_ADMIN_CDS=-XX:ArchiveClassesAtExit=$lib/admin.jsa neo4j-admin dbms set-initial-password "$password"
cp "$NEO4J_HOME/conf/neo4j.conf" /tmp/neo4j.conf
printf 'server.memory.heap.max_size=512m\nserver.memory.pagecache.size=64m\n' >>"$NEO4J_HOME/conf/neo4j.conf"
NEO4J_CDS=-XX:ArchiveClassesAtExit=$lib/server.jsa neo4j console & server=$!
shell() { timeout 60 cypher-shell -u neo4j -p "$password" "$@"; }
for ((i = 0; i < 240; i++)); do
  kill -0 $server; sleep 0.5
  if (: </dev/tcp/127.0.0.1/7687) 2>/dev/null; then break; fi
done
shell 'RETURN 1'
# load what the first minute of use loads: writing, reading, indexes, counts, users
shell >/dev/null <<'END'
CREATE (a:Person {name: "a"})-[:KNOWS]->(b:Person {name: "b"}) RETURN a, b;
MATCH (n:Person)-[r]->(m) RETURN n, r, m LIMIT 1;
MATCH (n) RETURN count(n);
SHOW DATABASES;
SHOW INDEXES;
CALL dbms.components();
MATCH (n) DETACH DELETE n;
:use system
SHOW USERS;
END
echo ':param {p: "x"}
RETURN $p;' | CYPHER_SHELL_CDS=-XX:ArchiveClassesAtExit=$NEO4J_HOME/shell/shell.jsa shell --format plain
# the HTTP side
exec 3<>/dev/tcp/127.0.0.1/7474
body='{"statements":[{"statement":"RETURN 1"}]}'
printf 'POST /db/neo4j/tx/commit HTTP/1.0\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
  "$(printf 'neo4j:%s' "$password" | base64)" ${#body} "$body" >&3
head -n 1 <&3; exec 3>&-
kill -TERM $server; wait $server || [ $? = 143 ]
mv /tmp/neo4j.conf "$NEO4J_HOME/conf/neo4j.conf"
ls -l "$lib"/*.jsa "$NEO4J_HOME/shell/shell.jsa"
