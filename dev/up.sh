#!/usr/bin/env bash
# up.sh: runs the portal in the background. Returns when it is ready; `dev/down.sh` stops it.
. "$(dirname "$0")/lib.sh"
LOG=$VAR/dev/portal.log
listen=${DB4SCI__SERVER__LISTEN:-127.0.0.1:8443}
url=https://localhost:${listen##*:}
WAIT=120

ready() { [ "$(curl -ks -o /dev/null -m 3 -w '%{http_code}' "$url/readyz")" = 200 ]; }
wait_ready() {
  local i
  for ((i = 0; i < WAIT * 5; i++)); do
    if ready; then return 0; fi
    portal_pid >/dev/null || { echo "the portal exited unexpectedly:"; tail -n 40 "$LOG"; return 1; }
    sleep 0.2
  done
  echo "not ready after $WAIT s:"; tail -n 40 "$LOG"
  return 1
}

cd "$ROOT"
"$ROOT/dev/run.sh" --prepare
if pid=$(portal_pid); then
  say "the portal is already running (pid $pid); to run a newer build, use 'make down' first"
else
  ! ready || die "another program is using $url: stop it first (perhaps a 'make run' in another window)."
  setsid nohup "$ROOT/dev/run.sh" --run >"$LOG" 2>&1 </dev/null &
  note_portal $!
  disown
fi
step "portal: waiting until it is ready" wait_ready
say "$url  (log: ${LOG#"$ROOT"/})"
