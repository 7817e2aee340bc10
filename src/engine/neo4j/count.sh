# Reports the number of nodes and relationships of each label and type, and a checksum over all their content.
# A backup consists of the server's own files, so every copy returns them in the same order, and the checksum can be
# computed in that order.
summed() { # NAME STATEMENT COUNT: the checksum of an answer of any length, split into lines so that no program holds all of it
  local sum
  mkfifo "$work/pipe"
  tail -c 200 <"$work/pipe" >"$work/end" &
  # The bookmark depends on the time, not on the content.
  sum=$(ask neo4j "$2" | tr '}' '\n' | sed -e '1,/^\r$/d' -e 's/,"lastBookmarks":\[.*$//' | tee "$work/pipe" | sha256sum)
  wait
  rm "$work/pipe"
  whole "$(cat "$work/end")"
  printf 'db4sci: {"count":{"database":"neo4j","kind":"content","name":"%s","rows":%s,"fingerprint":"%s"}}\n' "$1" "$3" "${sum%% *}"
}
number() { # STATEMENT: the one number that it answers
  local answer
  answer=$(ask neo4j "$1")
  whole "$answer"
  answer=${answer#*\"row\":[}
  printf '%s' "${answer%%]*}"
}
rows counted neo4j "MATCH (n) UNWIND labels(n) AS label RETURN 'label', label, count(*) ORDER BY label"
rows counted neo4j "MATCH ()-[r]->() RETURN 'relationship', type(r), count(*) ORDER BY type(r)"
rows counted neo4j "SHOW INDEXES YIELD type WHERE type <> 'LOOKUP' RETURN 'object', 'index', count(*)"
rows counted neo4j "SHOW CONSTRAINTS YIELD name RETURN 'object', 'constraint', count(*)"
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
