# Restores one database from an archive on standard input, each object in a session of its owner. In the first attempt
# any error ends it. In a second attempt (DB4SCI_TOLD), names are resolved as in the owner's sessions, and what the
# server refuses is reported and left out.
work=$(scratch)
trap 'rm -rf "$work"; ends' EXIT
# All definitions are in the table of contents at the beginning; rows are streamed once, unless they have several
# owners.
head -c 8388608 >"$work/archive"
rest=1
if ! pg_restore --list "$work/archive" >"$work/list" 2>/dev/null; then
  cat >>"$work/archive"
  rest=
  pg_restore --list "$work/archive" >"$work/list"
fi
lines() { sed -e 's/\\/\\\\/g' -e 's/	/\\t/g' "$work/list"; }
sql() { lines | administer postgres -f /dev/fd/3; }
sql 3<<'SQL' >"$work/contents"
@CONTENTS@SQL
awk -F'|' -v dir="$work" '{
  run = $1 $2
  if (run != last) { if (last) close(dir "/" last); print $3, run >(dir "/runs-" $1); last = run }
  print $4 >(dir "/" run)
}' "$work/contents"
touch "$work/runs-s" "$work/runs-m" "$work/words"
strict=--exit-on-error
if [ -n "${DB4SCI_TOLD:-}" ]; then
  strict=
  loosened "$work/archive"
fi
refused() { # reports the messages of pg_restore as notes
  awk '/^pg_restore: error: / { if (why != "") print why; sub(/^pg_restore: error: (could not execute query: )?(ERROR: *)?/, ""); why = $0; next }
       /^Command was: / && why != "" { sub(/^Command was: /, ""); print substr($0, 1, 120) ": " why; why = "" }
       END { if (why != "") print why }' "$work/words" | head -n 50 |
    while IFS= read -r line; do printf 'db4sci: {"note":"Not rebuilt: %s"}\n' "$(printf '%s' "$line" | cut -c1-500 | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')"; done
}
put() { # OID RUN ARCHIVE
  if [ -n "$strict" ]; then
    settled "$1" pg_restore --no-owner --no-tablespaces ${DB4SCI_OPTIONS:-} $strict --use-list="$work/$2" --dbname="$(connection "$DB4SCI_DATABASE")" $3
    return
  fi
  path=$(path_of "$1")
  code=0
  (
    PGOPTIONS="$PGOPTIONS -c search_path=$path"
    export PGOPTIONS
    settled "$1" pg_restore --no-owner --no-tablespaces ${DB4SCI_OPTIONS:-} --use-list="$work/$2" --dbname="$(connection "$DB4SCI_DATABASE")" $3
  ) 2>"$work/words" || code=$?
  [ "$code" = 0 ] || { [ "$code" = 1 ] && grep -q 'errors ignored on restore' "$work/words"; } || { cat "$work/words" >&2; exit 1; }
  refused
}
# Schemas come first: they are empty, and extensions may belong in them.
while read -r role run; do put "$role" "$run" "$work/archive" </dev/null; done <"$work/runs-s"
sql 3<<'SQL' >"$work/extensions"
@EXTENSIONS@SQL
while IFS='|' read -r role statement; do
  if [ "$role" = 0 ]; then
    administer "$DB4SCI_DATABASE" -c "$statement" </dev/null 2>"$work/words"
  else
    PGDATABASE=$DB4SCI_DATABASE owner "$role" psql -X -q -v ON_ERROR_STOP=1 -c "$statement" </dev/null 2>"$work/words"
  fi || {
    [ -z "$strict" ] || { cat "$work/words" >&2; exit 1; }
    printf 'db4sci: {"note":"Not rebuilt: %s"}\n' "$(head -n 1 "$work/words" | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')"
  }
done <"$work/extensions"
handed_over
if [ "$(wc -l <"$work/runs-m")" -le 1 ]; then
  if read -r role run <"$work/runs-m"; then
    { cat "$work/archive"; [ -z "$rest" ] || cat; } | put "$role" "$run" ''
  else
    cat >/dev/null
  fi
else
  [ -z "$rest" ] || cat >>"$work/archive"
  while read -r role run; do put "$role" "$run" "$work/archive" </dev/null; done <"$work/runs-m"
fi
