#!/usr/bin/env bash
# run.sh [--prepare]: sets up the machine, builds, and runs the portal (dev mode, https://localhost:8443).
# --prepare stops after the build; `dev/up.sh` runs the portal in the background. CARGO_PROFILE=release builds what is
# deployed; otherwise the build is that of the tests.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin
profile=${CARGO_PROFILE:-dev}
target=${CARGO_TARGET_DIR:-$ROOT/target}
binary=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/db4sci
[ "$profile" = dev ] || unset ZSTD_SYS_USE_PKG_CONFIG
images_log=$LOGS/images-beside-the-portal.log

# The image of mydb_admin and of the first database; the portal starts with it.
first=postgres:17

# The other images are built after the portal, because two cores are all that a first build has.
build_other_images() {
  setsid nohup "$ROOT/dev/images/build.sh" >"$images_log" 2>&1 </dev/null &
  disown
}

engine_and_first_image() {
  "$ROOT/dev/engine.sh"
  "$ROOT/dev/cow.sh" up "$VAR/dev"
  timeout 900 "$ROOT/dev/images/build.sh" "$first"
}

# One of the two has failed. The build shows its own output.
failed() {
  if ! kill -0 "$image" 2>/dev/null && ! wait "$image"; then
    { say "the container engine or the image $first could not be set up:"; tail -n 40 "$images_log" | sed 's/^/  | /'; } >&2
  fi
  exit 1
}

if [ "${1:-}" != --run ]; then
  "$ROOT/dev/packages.sh" build rust
  mkdir -p "$LOGS"
  # In parallel with the compiler: packages and image builds mostly wait for downloads.
  engine_and_first_image >"$images_log" 2>&1 </dev/null & image=$!
  cd "$ROOT" || exit
  [ -x "$binary" ] || say "the first build takes about 6 minutes on two cores; the container engine and the first database image are set up at the same time"
  STEP_PARALLEL=1 step "cargo build ($profile)" cargo build --locked --profile "$profile" --bin db4sci & build=$!
  # Whatever fails first ends the other one: nobody should wait minutes to learn that there is no container engine.
  trap 'kill "$build" "$image" 2>/dev/null || true' EXIT
  wait -n "$build" "$image" || failed
  kill -0 "$build" 2>/dev/null || step "engine and image $first" tail --pid="$image" -f /dev/null
  wait "$build" || failed
  wait "$image" || failed
  trap - EXIT
  if ! "$ROOT/dev/images/build.sh" --ready; then
    say "the other images are built in the background and become available one by one (${images_log#"$ROOT"/})"
    build_other_images
  fi
  [ "${1:-}" != --prepare ] || exit 0
fi

cd "$ROOT"
export DB4SCI_MODE=dev DB4SCI__INSTANCE=$INSTANCE
exec "$binary" serve
