# Reads an SQL dump and checks that it begins and ends like one. Only the beginning of a long dump is read back.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP
case $(head -c 200) in
  *'-- MariaDB dump '* | *'-- MySQL dump '*) ;;
  *) echo 'It does not begin like a dump.' >&2; exit 1 ;;
esac
tail -n 1 >"$work/last"
[ "$DB4SCI_WHOLE" = 0 ] || grep -q -e '^-- Dump completed' "$work/last"
