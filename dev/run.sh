#!/usr/bin/env bash
# run.sh [--prepare]: sets up the machine, builds, and runs the portal (dev mode, https://localhost:8443).
# --prepare stops after the build; `dev/up.sh` runs the portal in the background. CARGO_PROFILE=release builds what is deployed.
#
# The tests' profile: whoever runs the portal has built most of what `make test` needs, and nobody waits for optimised code
# that a first look does not need.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin
profile=${CARGO_PROFILE:-dev}
target=${CARGO_TARGET_DIR:-$ROOT/target}
binary=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/db4sci
images_log=$LOGS/images-beside-the-portal.log

# The portal starts with the first image; the others are offered as they come.
wait_for_first_image() {
  local tag
  for ((;;)); do
    tag=$(docker image inspect -f ok db4sci-dev/postgres:17 2>/dev/null) || true
    [ "$tag" != ok ] || return 0
    alive "$1" || { wait "$1"; return; }
    sleep 0.5
  done
}

if [ "${1:-}" != --run ]; then
  "$ROOT/dev/packages.sh" build rust
  "$ROOT/dev/engine.sh"
  mkdir -p "$LOGS"
  # Beside the compiler: images wait for downloads most of the time.
  "$ROOT/dev/images/build.sh" >"$images_log" 2>&1 </dev/null & images=$!
  "$ROOT/dev/cow.sh" up "$VAR/dev"
  cd "$ROOT"
  [ -x "$binary" ] || say "the first build takes about 5 minutes on two cores; the database images are built at the same time"
  step "cargo build ($profile)" cargo build --locked --profile "$profile" --bin db4sci
  if [ "${1:-}" = --prepare ]; then
    step "database images" wait "$images" || { tail -n 40 "$images_log" >&2; exit 1; }
    exit 0
  fi
  step "image postgres:17" wait_for_first_image "$images" || { tail -n 40 "$images_log" >&2; exit 1; }
  ! alive "$images" || say "the other images are built in the background and become available one by one (${images_log#"$ROOT"/})"
fi

cd "$ROOT"
export DB4SCI_MODE=dev DB4SCI__INSTANCE=$INSTANCE
exec "$binary" serve
