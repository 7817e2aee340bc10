# load.sh SHELL TOOL ARGUMENT…: loads an archive of mongodump, which comes by standard input, with the tool, and makes its
# indexes afterwards. The tool would end at the first index that this server does not take as it stands, and all would be
# lost. The archive's beginning says all that is to be known of them, so it is kept on its way.
umask 077
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# What must not be seen in a list of processes lies in a file that only the tool can read.
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
