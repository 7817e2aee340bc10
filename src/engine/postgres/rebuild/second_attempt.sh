# For a second attempt, in which names are resolved as in the owner's own sessions: archives set an empty search path.
loosened() { # FILE: the beginning of an archive, which is changed in place
  command='SELECT pg_catalog.set_config('\''search_path'\'', '\'''\'', false);'
  at=$(LC_ALL=C grep -a -b -o -m 1 -F "$command" "$1" | head -n 1 | cut -d: -f1) || at=
  [ -z "$at" ] || printf '%-54s' 'SET search_path = DEFAULT;' | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
# Settings of a database or role under which its expressions are computed: materialized views, and checks that are not
# immutable. Settings that would change how rows are read from an archive are not among them. Those of a library that
# the server has loaded may be reserved for administrators.
settings_of() { # OID: one line for each, as an option of a connection of that role
  administer postgres -v role="$1" -f - <<'SQL'
\getenv db DB4SCI_DATABASE
SELECT format('-c %s=%s', name, regexp_replace(value, '([\s\\])', '\\\1', 'g'))
  FROM (SELECT DISTINCT ON (lower(name)) name, value
          FROM (SELECT line #>> '{setting,name}' AS name, line #>> '{setting,value}' AS value,
                       line #>> '{setting,role}' AS role, line #>> '{setting,database}' AS database
                  FROM db4sci.record WHERE line ? 'setting') s,
               (SELECT (SELECT rolname FROM pg_roles WHERE oid = :role)) AS r (rolname)
         WHERE coalesce(s.database, :'db') = :'db' AND coalesce(s.role, r.rolname) IS NOT DISTINCT FROM r.rolname
           AND s.value !~ '[\n\r]'
           AND (lower(s.name) IN ('timezone', 'timezone_abbreviations', 'datestyle', 'default_text_search_config', 'lc_numeric', 'lc_time', 'bytea_output', 'extra_float_digits')
                OR s.name ~ '^[A-Za-z_][A-Za-z0-9_$]*[.][A-Za-z_][A-Za-z0-9_$]*$' AND NOT EXISTS (SELECT FROM pg_settings g WHERE lower(g.name) = lower(s.name)))
           -- A configuration of the owner's own does not exist before the restore.
           AND (lower(s.name) <> 'default_text_search_config'
                OR EXISTS (SELECT FROM pg_ts_config c WHERE c.cfgnamespace = 'pg_catalog'::regnamespace AND s.value IN (c.cfgname, 'pg_catalog.' || c.cfgname)))
         ORDER BY lower(name), role IS NULL, database IS NULL) f
SQL
}
settled() { # OID COMMAND…: runs it in a session of that role with these settings
  if [ ! -e "$work/settings-$1" ]; then
    : >"$work/rejected"
    find_settings "$1" >"$work/settings-$1"
    cat "$work/rejected"
  fi
  (PGOPTIONS="$PGOPTIONS$(cat "$work/settings-$1")"; export PGOPTIONS; owner "$@")
}
find_settings() { # OID: prints those that this server accepts; it may not know a time zone
  settings_of "$1" </dev/null >"$work/settings"
  while IFS= read -r one; do
    if (PGOPTIONS="$PGOPTIONS $one"; export PGOPTIONS; PGDATABASE=$DB4SCI_DATABASE owner "$1" psql -X -q -c '') >/dev/null 2>&1 </dev/null; then
      printf ' %s' "$one"
    else
      one=${one#-c }
      echo "db4sci: {\"note\":\"Materialized views and checks were computed without the setting ${one%%=*} of their owner, because this server rejects its value.\"}" >>"$work/rejected"
    fi
  done <"$work/settings"
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
