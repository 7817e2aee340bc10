# Runs the server's own check on every table, with every row and every index, and reports the faults.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' "$DB4SCI_SET" "$DB4SCI_CHECK" | client >"$work/said"
tab=$(printf '\t')
json() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }
while IFS=$tab read -r table _ kind text; do
  case $kind:$text in
    status:OK | note:* | info:*) ;;
    *) printf 'db4sci: {"fault":"%s: %s"}\n' "$(json "$table")" "$(json "$kind: $text")" ;;
  esac
done <"$work/said"
