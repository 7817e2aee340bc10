# Runs the statements on standard input as the administrator, in each database that accepts connections.
in_each_database() {
  statements=$(cat)
  # Names of databases with each byte in octal digits, because a name may contain spaces and line breaks.
  octal=$(administer postgres -f - <<'SQL'
SELECT string_agg(format('\0%s%s%s', b / 64, b / 8 % 8, b % 8), '' ORDER BY i)
  FROM pg_database, convert_to(datname, 'UTF8') AS name, generate_series(0, octet_length(name) - 1) AS i, get_byte(name, i) AS b
 WHERE datallowconn AND datconnlimit <> -2 GROUP BY oid;
SQL
  )
  for name in $octal; do
    name=$(printf '%b.' "$name")
    printf '%s\n' "$statements" | administer "${name%.}" -f -
  done
}
