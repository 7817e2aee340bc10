# Shared by the check-*.sh here: `. "$(dirname "$0")/check-lib.sh"`. Not meant to be run.
# shellcheck shell=bash disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

id=$TEST_PREFIX-image-$$
work=$(mktemp -d /var/tmp/db4sci-check.XXXXXX)
remove_all() { docker ps -aq --filter "label=$LABEL_INSTANCE=$id" | xargs -r docker rm -f -v >/dev/null; }
trap 'remove_all; as_root rm -rf "$work"' EXIT

count=0 failed=0
ok() { # "what" command…
  local what=$1 out; shift; count=$((count + 1))
  if ! out=$("$@" 2>&1); then failed=$((failed + 1)); printf 'not ok: %s: %s\n' "$what" "$(tail -n 5 <<<"$out")"; fi
}
no() { # the command must fail
  local what=$1; shift; count=$((count + 1))
  if "$@" >/dev/null 2>&1; then failed=$((failed + 1)); printf 'not ok: %s\n' "$what"; fi
}
is() { # "what" expected actual
  count=$((count + 1))
  [ "$2" = "$3" ] || { failed=$((failed + 1)); printf 'not ok: %s: expected "%s", got "%s"\n' "$1" "$2" "$3"; }
}
# start NAME ARG…: runs a container in the background as the portal does, with few capabilities and no new privileges.
# create NAME ARG…: the same, but does not start it.
start()  { run_as_portal 'run -d' "$@"; }
create() { run_as_portal create "$@"; }
run_as_portal() {
  local how=$1 name=$2; shift 2
  # shellcheck disable=SC2086
  docker $how --name "$id-$name" --label "$LABEL_INSTANCE=$id" --cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE \
    --cap-add FOWNER --cap-add SETUID --cap-add SETGID --security-opt no-new-privileges "$@" >/dev/null
}
once()  { docker run --rm --label "$LABEL_INSTANCE=$id" "$@"; }
in_it() { local name=$1; shift; docker exec "$id-$name" "$@"; }
# becomes NAME COMMAND…: the command succeeds within half a minute; stops trying once the container has exited
becomes() {
  local name=$1 i; shift
  for ((i = 0; i < 300; i++)); do
    "$@" >/dev/null 2>&1 && return
    [ "$(docker inspect -f '{{.State.Running}}' "$id-$name")" = true ] || break
    sleep 0.1
  done
  docker logs --tail 20 "$id-$name"; return 1
}
# values from the configuration of an image
of_image() { docker image inspect -f "{{$2}}" "$1"; }
env_of() { docker image inspect -f '{{range .Config.Env}}{{println .}}{{end}}' "$1" | sed -n "s/^$2=//p"; }

# check_all IMAGE…: runs check for each, and reports the result
check_all() {
  local image
  for image; do check "$image"; done
  say "$count checks of ${*}, $failed failed"
  [ $failed = 0 ]
}
