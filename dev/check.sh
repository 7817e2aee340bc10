#!/usr/bin/env bash
# check.sh: checks format, lints, documentation, dependencies, scripts and the compose file. It runs every check even if
# one fails, then reports how many failed.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin:/usr/sbin:/sbin
MACHETE=0.9.2
DENY=0.20.2
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
# tool NAME VERSION [OPTION…]: prints the path of this version of a cargo subcommand. It is built once per machine, for
# all checkouts, and without optimisation because each tool runs for about a second.
tool() {
  local root=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/db4sci name=$1 version=$2
  shift 2
  if [ "$("$root/bin/$name" --version 2>/dev/null | awk '{ print $NF }')" != "$version" ]; then
    CARGO_TARGET_DIR=$VAR/tools/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
      cargo install --quiet --locked --root "$root" --version "$version" "$@" "$name" >&2 || return
    rm -rf "$VAR/tools/target"
  fi
  echo "$root/bin/$name"
}
unused_dependencies() {
  local machete
  machete=$(tool cargo-machete $MACHETE) || return
  "$machete" --skip-target-dir "$ROOT"
}
# The advisory database is a Git repository. If it cannot be fetched, the other checks still run.
licences_and_bans() {
  local deny
  deny=$(tool cargo-deny $DENY --no-default-features) || return
  "$deny" check bans licenses sources || return
  if timeout 30 "$deny" fetch db >/dev/null 2>&1; then "$deny" check --disable-fetch advisories; else echo "advisories were not checked: no database"; fi
}

try "scripts" scripts
try "docker-compose.yml" compose
try "cargo fmt" cargo fmt --check -- --color never
try "cargo clippy" cargo clippy --locked --all-targets --quiet -- -D warnings
RUSTDOCFLAGS='-D warnings' try "cargo doc" cargo doc --locked --no-deps --document-private-items --quiet
try "unused dependencies" unused_dependencies
try "licences, bans and sources of dependencies" licences_and_bans
[ $failed = 0 ] || die "$failed checks failed."
