# end_dump.sh RUN: ends the dump of this run. Its programs are ended, never its shells, which then fail, wait for their
# children and exit. A program whose shell is gone would become a child of the container's first process. That is the
# server, and PostgreSQL takes a child that was ended by a signal for a crash of one of its own: it ends all sessions.
file="/tmp/db4sci-dump-$1.pid"
[ -e "$file" ] || exit 0
main=$(cat "$file")
programs() {
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    name=${line#*\(}
    # What follows the name: state, parent, process group.
    set -- ${name##*\) }
    [ "$3" = "$main" ] && [ "$1" != Z ] || continue
    case ${name%\) *} in sh | dash | bash | ash | busybox) continue ;; esac
    pid=${stat#/proc/}
    echo "${pid%/stat}"
  done
}
# Takes effect when its current command has ended.
kill -s TERM "$main" 2>/dev/null || :
# An interrupted client also cancels its query in the server. What ignores that is terminated after two seconds.
n=0 signal=INT
while kill -0 "$main" 2>/dev/null && [ "$n" -lt 80 ]; do
  [ "$n" -lt 20 ] || signal=TERM
  for pid in $(programs); do kill -s "$signal" "$pid" 2>/dev/null || :; done
  sleep 0.1
  n=$((n + 1))
done
rm -f "$file"
