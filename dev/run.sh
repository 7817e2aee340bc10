#!/usr/bin/env bash
# run.sh [--prepare]: sets the machine up, builds, and becomes the portal (dev mode, https://localhost:8443).
# --prepare stops short of that, and `dev/up.sh` starts it in the background. CARGO_PROFILE=dev builds sooner, for slower code.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin
profile=${CARGO_PROFILE:-release}
target=${CARGO_TARGET_DIR:-$ROOT/target}
binary=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/db4sci

if [ "${1:-}" != --run ]; then
  "$ROOT/dev/setup.sh"
  "$ROOT/dev/cow.sh" up "$VAR/dev"
  cd "$ROOT"
  [ -x "$binary" ] || say "building with cargo: minutes the first time"
  step "cargo build ($profile)" cargo build --locked --profile "$profile" --bin db4sci
fi
[ "${1:-}" != --prepare ] || exit 0

cd "$ROOT"
export DB4SCI_MODE=dev DB4SCI__INSTANCE=$INSTANCE
exec "$binary" serve
