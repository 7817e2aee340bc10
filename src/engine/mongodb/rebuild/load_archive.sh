# load_archive.sh SHELL TOOL ARGUMENT…: loads a mongodump archive from standard input with the tool, and creates its indexes
# afterwards. The tool would stop at the first index that this server does not accept unchanged, and everything would be
# lost. The beginning of the archive describes all indexes, so it is kept as it passes through.
umask 077
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# What must not appear in a process list is in a file that only the tool can read.
printf '%s\n' "$DB4SCI_TOOL_CONFIG" >"$work/config"
unset DB4SCI_TOOL_CONFIG
shell=$1
shift
mkfifo "$work/dump" || exit 1
case $("$1" --help 2>&1 </dev/null) in
  *--noIndexRestore*) set -- "$@" --noIndexRestore ;;
  *) shell= ;;
esac
"$@" --config="$work/config" <"$work/dump" &
tool=$!
tee -p "$work/dump" | head -c 33554432 >"$work/head"
wait "$tool" || exit $?
[ -n "$shell" ] || exit 0
HOME=$work DB4SCI_HEAD=$work/head "$shell" --quiet --norc "$DB4SCI_ADDRESS" --eval "$DB4SCI_SCRIPT" </dev/null 1>&2
