# For a second attempt, in which names are looked for as the owner's own sessions do: archives have them looked for nowhere.
loosened() { # FILE: the beginning of an archive, which is changed in its place
  command='SELECT pg_catalog.set_config('\''search_path'\'', '\'''\'', false);'
  at=$(LC_ALL=C grep -a -b -o -m 1 -F "$command" "$1" | head -n 1 | cut -d: -f1) || at=
  [ -z "$at" ] || printf '%-54s' 'SET search_path = DEFAULT;' | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
path_of() { # OID: where that role looks for names in the database; 0: where whoever is not named does
  administer postgres -v role="$1" -f - <<'SQL'
\getenv db DB4SCI_DATABASE
SELECT coalesce((SELECT regexp_replace(line #>> '{setting,value}', '([\s\\])', '\\\1', 'g') FROM db4sci.record
  WHERE line #>> '{setting,name}' = 'search_path' AND coalesce(line #>> '{setting,database}', :'db') = :'db'
    AND coalesce(line #>> '{setting,role}', r.rolname) IS NOT DISTINCT FROM r.rolname
  ORDER BY line #>> '{setting,role}' IS NULL, line #>> '{setting,database}' IS NULL LIMIT 1), '"$user",public')
  FROM (SELECT (SELECT rolname FROM pg_roles WHERE oid = :role)) AS r (rolname)
SQL
}
