#!/usr/bin/env bash
# check.sh: format, lints, documentation, unused dependencies, scripts, compose file. Goes through all, then says how many failed.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin:/usr/sbin:/sbin
MACHETE=0.9.2
cd "$ROOT"
export CARGO_TERM_COLOR=never
"$ROOT/dev/packages.sh" build rust check

failed=0
try() { step "$@" || failed=$((failed + 1)); }

scripts() {
  local f list=()
  mapfile -t list < <(find dev .ci -type f \( -name '*.sh' -o -path .ci/run \) | sort)
  for f in "${list[@]}"; do bash -n "$f" || return; done
  shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR "${list[@]}"
}
compose() {
  local mode
  for mode in prod dev; do DB4SCI_MODE=$mode docker-compose -f docker-compose.yml config --quiet || return; done
}
# Kept for all checkouts of this machine: it takes a minute to build.
unused_dependencies() {
  local root=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/db4sci
  local tool=$root/bin/cargo-machete
  [ "$("$tool" --version 2>/dev/null)" = $MACHETE ] ||
    CARGO_TARGET_DIR=$VAR/tools/target cargo install --quiet --locked --root "$root" --version $MACHETE cargo-machete
  rm -rf "$VAR/tools/target"
  "$tool" --skip-target-dir "$ROOT"
}

try "scripts" scripts
try "docker-compose.yml" compose
try "cargo fmt" cargo fmt --check -- --color never
try "cargo clippy" cargo clippy --locked --all-targets --quiet -- -D warnings
RUSTDOCFLAGS='-D warnings' try "cargo doc" cargo doc --locked --no-deps --document-private-items --quiet
try "unused dependencies" unused_dependencies
[ $failed = 0 ] || die "$failed checks failed."
