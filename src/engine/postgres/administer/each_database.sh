# Runs the statements on standard input as the administrator, in each database that accepts connections.
in_each_database() {
  statements=$(cat)
  # Names of databases with each byte in octal digits, because a name may contain spaces and line breaks. Before it, the
  # encoding of the session: text in MULE_INTERNAL cannot be converted.
  octal=$(administer postgres -f - <<'SQL'
SELECT CASE pg_encoding_to_char(encoding) WHEN 'MULE_INTERNAL' THEN 'SQL_ASCII' ELSE 'UTF8' END || ':' ||
       string_agg(format('\0%s%s%s', b / 64, b / 8 % 8, b % 8), '' ORDER BY i)
  FROM pg_database, convert_to(datname, 'UTF8') AS name, generate_series(0, octet_length(name) - 1) AS i, get_byte(name, i) AS b
 WHERE datallowconn AND datconnlimit <> -2 GROUP BY oid, encoding;
SQL
  )
  for name in $octal; do
    encoding=${name%%:*}
    name=$(printf '%b.' "${name#*:}")
    printf '%s\n' "$statements" | PGCLIENTENCODING=$encoding administer "${name%.}" -f -
  done
}
