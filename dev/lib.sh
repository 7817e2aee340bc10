# Shared by the scripts in dev/: `. "$(dirname "$0")/lib.sh"`. Not meant to be run.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VAR=$ROOT/var                     # all generated files, git-ignored
LOGS=$VAR/log

# Six hex digits of sha256(path of this checkout): distinguishes the checkouts that share an engine.
CHECKOUT_ID=$(printf %s "$ROOT" | sha256sum | cut -c1-6)
INSTANCE=${DB4SCI__INSTANCE:-dev-$CHECKOUT_ID}
TEST_PREFIX=test-$CHECKOUT_ID     # test portals are $TEST_PREFIX-<random>

LABEL_INSTANCE=db4sci.instance    # on every container and network of a portal
LABEL_IMAGE=db4sci.dev-image      # on every image built here
LABEL_CONTENT=db4sci.content      # what that image was built from, as sha256

export DOCKER_BUILDKIT=0          # every engine has the classic builder; no plugin needed
export DOCKER_CLI_HINTS=false
export ZSTD_SYS_USE_PKG_CONFIG=1  # Debian's library instead of 30 s of compiling it; releases contain their own

say()  { printf '%s\n' "$*"; }
die()  { printf '%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# As root: file work on directories that database users own, mounts, packages.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo --preserve-env=DOCKER_HOST,DB4SCI_DEBIAN_MIRROR,DB4SCI__INSTANCE -- "$@"
  else die "this requires root: $*  (run make as root, or install sudo)"; fi
}

# seconds_since START (an $EPOCHREALTIME), with one decimal
seconds_since() {
  local now=$EPOCHREALTIME
  local ms=$(( (${now/[.,]/} - ${1/[.,]/}) / 1000 ))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# step "title" command…: one line, title and seconds. The output goes to a log and is shown only on failure.
# STEP_PARALLEL=1 prints the complete line at the end, for steps that run in parallel.
step() {
  local title=$1 start=$EPOCHREALTIME rc=0 log; shift
  mkdir -p "$LOGS"
  log=$LOGS/$(printf %s "$title" | tr -cs 'A-Za-z0-9.' - | sed 's/-*$//').log
  [ -n "${STEP_PARALLEL:-}" ] || printf '%-58s' "$title"
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  local head='' tail=''
  [ -z "${STEP_PARALLEL:-}" ] || printf -v head '%-58s' "$title"
  [ $rc = 0 ] || tail="  FAILED ($rc)"
  printf '%s%6s s%s\n' "$head" "$(seconds_since "$start")" "$tail"
  [ $rc != 0 ] || return 0
  { say "  last lines of $log:"; tail -n 40 "$log" | sed 's/^/  | /'; } >&2
  return $rc
}

# Does a container engine answer? Takes at most half a second if it does, and never hangs if it does not.
engine_answers() { have docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# The portal that `make up` started. A process is identified by its pid and its start time: its command line changes
# when the shell becomes the portal, and the pid may be reused later.
PORTAL_PID=$VAR/dev/portal.pid
started_at() { # PID: in ticks since the machine started; fails if there is no such process
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*) }
  echo "${20}"
}
note_portal() { # PID
  local at
  at=$(started_at "$1") || return 1
  mkdir -p "${PORTAL_PID%/*}"
  echo "$1 $at" >"$PORTAL_PID"
}
portal_pid() { # its pid, if it is running
  local pid at
  read -r pid at 2>/dev/null <"$PORTAL_PID" && alive "$pid" && [ "$(started_at "$pid")" = "$at" ] && echo "$pid"
}

# alive PID [NAME]: this process is running (a zombie is not) and has this name
alive() {
  local stat
  [ -n "${1:-}" ] && stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  case ${stat##*) } in Z* | X*) return 1 ;; esac
  [ -z "${2:-}" ] || [[ $stat == *"($2)"* ]]
}
# any_alive NAME: a process of this name is running
any_alive() {
  local pid
  for pid in $(pgrep -x "$1"); do ! alive "$pid" || return 0; done
  return 1
}

# image_id TAG: prints its id, or nothing
image_id() { docker image inspect -f '{{.Id}}' "$1" 2>/dev/null || true; }
# remove_replaced ID TAG: removes the image that had this tag before, if the tag now names another one and no container
# uses the old one
remove_replaced() { if [ -n "$1" ] && [ "$1" != "$(image_id "$2")" ]; then docker image rm "$1" || true; fi; }
