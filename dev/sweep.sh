#!/usr/bin/env bash
# sweep.sh test|INSTANCE…: removes what these instances left behind: running portals, containers and networks by label,
# and for `test` (every test portal of this checkout) also mounts and directories. Refuses instances of other checkouts.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

asked=("$@")
for a in "${asked[@]}"; do
  case $a in
    test | "$INSTANCE" | "dev-$CHECKOUT_ID" | "$TEST_PREFIX"-?*) ;;
    *) die "sweep.sh: '$a' is not an instance of this checkout" ;;
  esac
done
# wanted LABEL: is that instance one of those asked for?
wanted() {
  local a
  for a in "${asked[@]}"; do
    [ "$1" != "$a" ] || return 0
    if [ "$a" = test ] && [[ $1 == "$TEST_PREFIX"-?* ]]; then return 0; fi
  done
  return 1
}

# Portals whose test was killed: a program named db4sci with the instance in its environment
stop_portals() {
  local dir pid instance i
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    case $(readlink "$dir/exe" 2>/dev/null) in */db4sci | */db4sci' (deleted)') ;; *) continue ;; esac
    instance=$(tr '\0' '\n' <"$dir/environ" 2>/dev/null | sed -n 's/^DB4SCI__INSTANCE=//p') || continue
    wanted "$instance" || continue
    say "stopping the portal of $instance (pid $pid)"
    kill -TERM "$pid" 2>/dev/null || continue
    for ((i = 0; i < 100; i++)); do alive "$pid" || break; sleep 0.1; done
    ! alive "$pid" || kill -KILL "$pid" 2>/dev/null || true
  done
}

# Removes by id everything that has a wanted label. Repeats, because objects may disappear or appear in between.
remove() { # container|network, then options of ls -- options of rm
  local kind=$1 id label ids round list=() opts=(); shift
  while [ "$1" != -- ]; do list+=("$1"); shift; done; shift; opts=("$@")
  for round in 1 2 3 last; do
    ids=()
    while IFS='|' read -r id label; do
      if wanted "$label"; then ids+=("$id"); fi
    done < <(docker "$kind" ls "${list[@]}" --no-trunc --filter "label=$LABEL_INSTANCE" --format "{{.ID}}|{{.Label \"$LABEL_INSTANCE\"}}")
    [ ${#ids[@]} -gt 0 ] || return 0
    # the last round only checks what the third one left
    [ "$round" != last ] || break
    [ "$round" != 1 ] || say "removing ${#ids[@]} ${kind}s"
    docker "$kind" rm "${opts[@]}" "${ids[@]}" >/dev/null 2>"$VAR/sweep.err" || true
  done
  if [ "$kind" = network ]; then
    # Until it is restarted, an engine may still count an endpoint whose container was removed. That blocks nothing.
    say "these networks cannot be removed now: ${ids[*]}: $(cat "$VAR/sweep.err")"
    return 0
  fi
  die "these ${kind}s cannot be removed: ${ids[*]}: $(cat "$VAR/sweep.err")"
}

# Portals that a test ran with compose; each is a project named after its instance
composed() {
  local id project
  while IFS='|' read -r id project; do
    ! wanted "$project" || docker rm -f -v "$id" >/dev/null
  done < <(docker ps -a --no-trunc --filter label=com.docker.compose.project --format '{{.ID}}|{{.Label "com.docker.compose.project"}}')
}
# Firewall rules that a portal set for these instances; the comment of a rule names the instance
remove_rules() {
  local program chain rule args
  for program in iptables ip6tables; do
    have "$program" && [ "$(id -u)" = 0 ] || continue
    for chain in DOCKER-USER FORWARD INPUT; do
      while read -r rule; do
        [[ $rule =~ --comment\ \"?db4sci:([a-z0-9-]+) ]] && wanted "${BASH_REMATCH[1]}" || continue
        read -ra args <<<"${rule//\"/}"
        "$program" -w 5 -D "${args[@]:1}" || true
      done < <("$program" -w 5 -S "$chain" 2>/dev/null)
    done
  done
}

mkdir -p "$VAR"
stop_portals
remove_rules
if engine_answers; then
  composed
  remove container -a -- -f -v
  remove network --
fi
rm -f "$VAR/sweep.err"
for a in "${asked[@]}"; do
  [ "$a" = test ] || continue
  awk -v d="$VAR/test" '$5 == d || index($5, d "/") == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do as_root umount -d "$mount"; done
  as_root rm -rf --one-file-system "$VAR/test" "$VAR/test.img" "$VAR/test-cow.img"
done
