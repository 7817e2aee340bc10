# Reports how many nodes and relationships there are, of each label and type, and a sum over all their content.
# A backup is of the server's own files, so the order in which it tells them is the same in every copy, and the sum can be
# taken as they come.
set -u
export LC_ALL=C
token=$(printf '%s:%s' "$DB4SCI_ADMIN" "$DB4SCI_ADMIN_PASSWORD" | base64 -w 0)
ask() { # STATEMENT: the answer's body
  local body
  body=$(printf '{"statements":[{"statement":"%s"}]}' "$1")
  exec 3<>/dev/tcp/127.0.0.1/7474 || exit 1
  printf 'POST /db/neo4j/tx/commit HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s' \
    "$token" "${#body}" "$body" >&3
  cat <&3
  exec 3>&-
}
whole() { # the end of an answer: nothing went wrong until then
  case $1 in *'"errors":[]'*) ;; *) printf 'The server did not count: %s\n' "$1" >&2; exit 1 ;; esac
}
rows() { # STATEMENT: each row of its answer is reported as the server wrote it, and read as JSON by the portal
  local answer
  answer=$(ask "$1")
  whole "$answer"
  # Between two rows, and nowhere in a name: a quotation mark of a name has a backslash before it.
  printf '%s\n' "${answer#*\"data\":[}" | sed -e 's/},{"row":\[/}\n{"row":[/g' -e 's/\(}\)\]}\],"errors":\[\].*$/\1/' |
    sed -n -e 's/^{"row":\[.*}$/db4sci: {"counted":&}/p'
}
summed() { # NAME STATEMENT COUNT: a sum over an answer of any length, cut into lines so that no program holds all of it
  local sum
  mkfifo "$work/pipe"
  tail -c 200 <"$work/pipe" >"$work/end" &
  # The bookmark is of the moment, not of the content.
  sum=$(ask "$2" | tr '}' '\n' | sed -e '1,/^\r$/d' -e 's/,"lastBookmarks":\[.*$//' | tee "$work/pipe" | sha256sum)
  wait
  rm "$work/pipe"
  whole "$(cat "$work/end")"
  printf 'db4sci: {"count":{"database":"neo4j","kind":"content","name":"%s","rows":%s,"fingerprint":"%s"}}\n' "$1" "$3" "${sum%% *}"
}
number() { # STATEMENT: the one number that it answers
  local answer
  answer=$(ask "$1")
  whole "$answer"
  answer=${answer#*\"row\":[}
  printf '%s' "${answer%%]*}"
}
rows "MATCH (n) UNWIND labels(n) AS label RETURN 'label', label, count(*) ORDER BY label"
rows "MATCH ()-[r]->() RETURN 'relationship', type(r), count(*) ORDER BY type(r)"
rows "SHOW INDEXES YIELD type WHERE type <> 'LOOKUP' RETURN 'object', 'index', count(*)"
rows "SHOW CONSTRAINTS YIELD name RETURN 'object', 'constraint', count(*)"
nodes=$(number 'MATCH (n) RETURN count(n)') || exit 1
edges=$(number 'MATCH ()-[r]->() RETURN count(r)') || exit 1
if [ "$DB4SCI_FINGERPRINTS" = 1 ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  summed nodes 'MATCH (n) RETURN labels(n), properties(n)' "$nodes"
  summed relationships 'MATCH (a)-[r]->(b) RETURN type(r), properties(r), id(a), id(b)' "$edges"
else
  printf 'db4sci: {"count":{"database":"neo4j","kind":"content","name":"nodes","rows":%s}}\n' "$nodes"
  printf 'db4sci: {"count":{"database":"neo4j","kind":"content","name":"relationships","rows":%s}}\n' "$edges"
fi
