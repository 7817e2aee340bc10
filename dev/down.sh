#!/usr/bin/env bash
# down.sh [--all]: stops the portal that up.sh started, gracefully. --all stops this instance's containers too; their
# data stays.
. "$(dirname "$0")/lib.sh"

stop_portal() {
  local i
  kill -TERM "$1"
  for ((i = 0; i < 300; i++)); do alive "$1" || return 0; sleep 0.1; done
  echo "still running after 30 s: killed"
  kill -KILL "$1"
}
if pid=$(portal_pid); then step "portal: stopping" stop_portal "$pid"; else say "no portal is running in the background"; fi
rm -f "$PORTAL_PID"

[ "${1:-}" = --all ] || exit 0
engine_answers || { say "the container engine is not running, so there are no running containers"; exit 0; }
mapfile -t ids < <(docker ps -q --filter "label=$LABEL_INSTANCE=$INSTANCE")
[ ${#ids[@]} = 0 ] || step "stopping the ${#ids[@]} containers of $INSTANCE" docker stop -t 60 "${ids[@]}"
