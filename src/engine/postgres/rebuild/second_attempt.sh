# For a second attempt, in which names are resolved as in the owner's own sessions: archives set an empty search path.
loosened() { # FILE: the beginning of an archive, which is changed in place
  command='SELECT pg_catalog.set_config('\''search_path'\'', '\'''\'', false);'
  at=$(LC_ALL=C grep -a -b -o -m 1 -F "$command" "$1" | head -n 1 | cut -d: -f1) || at=
  [ -z "$at" ] || printf '%-54s' 'SET search_path = DEFAULT;' | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
path_of() { # OID: the search path of that role in the database; 0: the search path of any other role
  administer postgres -v role="$1" -f - <<'SQL'
\getenv db DB4SCI_DATABASE
SELECT coalesce((SELECT regexp_replace(line #>> '{setting,value}', '([\s\\])', '\\\1', 'g') FROM db4sci.record
  WHERE line #>> '{setting,name}' = 'search_path' AND coalesce(line #>> '{setting,database}', :'db') = :'db'
    AND coalesce(line #>> '{setting,role}', r.rolname) IS NOT DISTINCT FROM r.rolname
  ORDER BY line #>> '{setting,role}' IS NULL, line #>> '{setting,database}' IS NULL LIMIT 1), '"$user",public')
  FROM (SELECT (SELECT rolname FROM pg_roles WHERE oid = :role)) AS r (rolname)
SQL
}
