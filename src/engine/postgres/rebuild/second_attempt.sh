# For a second attempt, in which names are resolved as in the owner's own sessions: archives set an empty search path.
loosened() { # FILE: the beginning of an archive, which is changed in place
  command='SELECT pg_catalog.set_config('\''search_path'\'', '\'''\'', false);'
  at=$(LC_ALL=C grep -a -b -o -m 1 -F "$command" "$1" | head -n 1 | cut -d: -f1) || at=
  [ -z "$at" ] || printf '%-54s' 'SET search_path = DEFAULT;' | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
# Settings of a database or role under which its expressions are computed: materialized views, and checks that are not
# immutable. Settings that would change how rows are read from an archive are not among them. Those of a library that
# the server has loaded may be reserved for administrators.
settings_of() { # OID: as further options of a connection of that role
  administer postgres -v role="$1" -f - <<'SQL'
\getenv db DB4SCI_DATABASE
SELECT coalesce(string_agg(format(' -c %s=%s', name, regexp_replace(value, '([\s\\])', '\\\1', 'g')), '' ORDER BY name), '')
  FROM (SELECT DISTINCT ON (lower(name)) name, value
          FROM (SELECT line #>> '{setting,name}' AS name, line #>> '{setting,value}' AS value,
                       line #>> '{setting,role}' AS role, line #>> '{setting,database}' AS database
                  FROM db4sci.record WHERE line ? 'setting') s,
               (SELECT (SELECT rolname FROM pg_roles WHERE oid = :role)) AS r (rolname)
         WHERE coalesce(s.database, :'db') = :'db' AND coalesce(s.role, r.rolname) IS NOT DISTINCT FROM r.rolname
           AND (lower(s.name) IN ('timezone', 'timezone_abbreviations', 'datestyle', 'default_text_search_config', 'lc_numeric', 'lc_time', 'bytea_output', 'extra_float_digits')
                OR s.name ~ '^[A-Za-z_][A-Za-z0-9_$]*[.][A-Za-z_][A-Za-z0-9_$]*$' AND NOT EXISTS (SELECT FROM pg_settings g WHERE lower(g.name) = lower(s.name)))
         ORDER BY lower(name), role IS NULL, database IS NULL) f
SQL
}
settled() { # OID COMMAND…: runs it in a session of that role with these settings
  if [ ! -e "$work/settings-$1" ]; then
    find_settings "$1"
    printf '%s' "$settings" >"$work/settings-$1"
  fi
  settings=$(cat "$work/settings-$1")
  (PGOPTIONS="$PGOPTIONS$settings"; export PGOPTIONS; owner "$@")
}
find_settings() { # OID
  settings=$(settings_of "$1" </dev/null)
  # A value may mean nothing to this server, such as a time zone that it does not know.
  if [ -n "$settings" ] && ! (PGOPTIONS="$PGOPTIONS$settings"; export PGOPTIONS; PGDATABASE=$DB4SCI_DATABASE owner "$1" psql -X -q -c '') >/dev/null 2>&1 </dev/null; then
    echo 'db4sci: {"note":"Materialized views and checks were computed without the time zone and the other settings of their owner, because this server rejects one of these."}'
    settings=
  fi
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
