# Runs statements, continues after errors and reports what the server refused, which is left out. An error that does not
# concern a single object, such as a lost server, ends it: continuing would leave out intact objects.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go_on() {
  code=0
  client --force 2>"$work/said" || code=$?
  if grep -E '^ERROR (2[0-9]{3}|1021|1037|1038|1040|1041|1045|1053|1114|1135|1203|1205|1226|1317|1927|1969) |No space left|[Oo]ut of memory' "$work/said" >&2; then
    exit 1
  fi
  # The client exits with 1 if its last statement failed.
  [ "$code" = 0 ] || { [ "$code" = 1 ] && grep -q '^ERROR ' "$work/said"; } ||
    { cat "$work/said"; echo "The client ended with code $code."; exit 1; } >&2
}
readable() { # without bytes that are no UTF-8
  if command -v iconv >/dev/null; then iconv -c -f UTF-8 -t UTF-8; else LC_ALL=C tr -d '\200-\377'; fi
}
# Reports each failure as a note, with the beginning of its statement if the statements were kept in a file. The first
# line of such a file sets the delimiter.
tell() { # FILE WITHOUT
  # A statement may be in any character set, so bytes are taken for characters.
  LC_ALL=C grep -a '^ERROR ' "$work/said" | LC_ALL=C grep -a -v -E "^ERROR ($2) " >"$work/refused" || return 0
  LC_ALL=C awk -v statements="$1" '
    { line = $0; sub(/^ERROR [0-9]+ \([0-9A-Z]+\)( at line)? */, "", line)
      at = line + 0; sub(/^[0-9]*: */, "", line)
      if (NR > 50) next
      code[NR] = $2; why[NR] = line; place[NR] = at; wanted[at] = 1 }
    END {
      number = 0
      while (statements != "" && (getline text < statements) > 0) {
        number++
        if (number == 1) { split(text, word, " "); end = word[2]; continue }
        if (!open && (number in wanted)) { open = number; begun[open] = "" }
        if (!open) continue
        if ((over = index(text, end)) > 0) text = substr(text, 1, over - 1)
        if (length(begun[open]) < 400) begun[open] = begun[open] " " substr(text, 1, 400)
        if (over) open = 0
      }
      for (i = 1; i <= NR && i <= 50; i++) {
        of = begun[place[i]]
        gsub(/\/\*!?M?!?[0-9]*|\*\//, "", of); gsub(/[ \t]+/, " ", of); sub(/^ /, "", of)
        print "Not rebuilt: " (of == "" ? "" : substr(of, 1, 160) ": ") why[i] (code[i] ~ /^[0-9]+$/ ? " (error " code[i] ")" : "")
      }
      if (NR > 50) print "Not rebuilt: " NR - 50 " more."
    }' "$work/refused" | LC_ALL=C cut -c 1-1500 | readable |
    LC_ALL=C sed -e 's/[[:cntrl:]]/ /g' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/db4sci: {"note":"&"}/'
}
