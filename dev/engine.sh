#!/usr/bin/env bash
# engine.sh: makes sure that a container engine is running. Uses the one that DOCKER_HOST names or one that is running;
# otherwise installs Debian's and starts it detached. Cleans up what a killed engine left behind, and nothing else.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
LOG=/var/log/db4sci-dockerd.log
WAIT=120   # after a kill, the engine first stops its old containers, which takes 10 s or more

engine_answers && exit 0
if [ -n "${DOCKER_HOST:-}" ] && [ "$DOCKER_HOST" != unix:///var/run/docker.sock ]; then
  die "the container engine at DOCKER_HOST ($DOCKER_HOST) is not responding: start it, or unset DOCKER_HOST."
fi

"$ROOT/dev/packages.sh" engine

# A stale pid file (its process has exited, is a zombie or is now another program) keeps a new engine from starting.
drop_stale_pid() { # FILE NAME
  local pid
  [ -e "$1" ] || return 0
  pid=$(tr -cd 0-9 <"$1")
  alive "$pid" "$2" && return 0
  echo "removing stale $1 (pid ${pid:-none} is not $2)"; rm -f "$1"
}

clear_leftovers() {
  drop_stale_pid /var/run/docker.pid dockerd
  drop_stale_pid /var/run/docker/containerd/containerd.pid containerd
  drop_stale_pid /var/run/docker/containerd/docker-containerd.pid containerd
  # sockets without a listener: dockerd would wait for them
  if ! any_alive containerd; then
    rm -f /run/containerd/containerd.sock /run/containerd/containerd.sock.ttrpc /var/run/docker/containerd/containerd*.sock*
  fi
}

wait_for_engine() {
  local i
  for ((i = 0; i < WAIT * 5; i++)); do
    engine_answers && return 0
    # the engine started here has exited: stop waiting
    [ -z "${1:-}" ] || alive "$1" || break
    sleep 0.2
  done
  echo "the container engine is not responding; last lines of $LOG:"; tail -n 30 "$LOG" 2>/dev/null
  return 1
}

start_engine() {
  engine_answers && return 0
  if [ -d /run/systemd/system ] && systemctl start docker.service; then wait_for_engine; return; fi
  if any_alive dockerd; then echo "dockerd is already running, waiting for it"; wait_for_engine; return; fi
  clear_leftovers
  echo "starting dockerd, log in $LOG"
  setsid nohup dockerd >>"$LOG" 2>&1 </dev/null 9>&- &
  local pid=$!
  disown
  wait_for_engine $pid
}

if [ "$(id -u)" != 0 ]; then
  as_root "$ROOT/dev/engine.sh"
  engine_answers || die "the container engine is running, but $(id -un) has no access: add the user to the group 'docker' and sign in again."
  exit 0
fi

# one start at a time, also across checkouts
exec 9>/run/lock/db4sci-engine.lock
flock -w $((WAIT * 2)) 9 || die "another start of the container engine is stuck (it holds /run/lock/db4sci-engine.lock)."
step "container engine: starting" start_engine
