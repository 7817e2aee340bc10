#!/usr/bin/env bash
# image-portal.sh [TAG [BINARY]]: builds the portal's image from a binary and base images built on this machine, for use
# where no registry can be reached. With a registry, `docker build -t db4sci .` does everything in the image. A given
# BINARY is used unchanged; otherwise a release is built.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin
tag=${1:-db4sci:dev}
target=${CARGO_TARGET_DIR:-$ROOT/target}
cd "$ROOT"
binary=${2:-$target/release/db4sci}
"$ROOT/dev/packages.sh" build rust images
"$ROOT/dev/engine.sh"
# the binary needs a C library at least as new as the one it was built with
suite=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
case $suite in bookworm | trixie) ;; *) suite=trixie ;; esac
"$ROOT/dev/images/build.sh" "base:$suite"
[ -n "${2:-}" ] || step "cargo build (release)" env -u ZSTD_SYS_USE_PKG_CONFIG cargo build --locked --release --bin db4sci

build() {
  local rc=0 old; old=$(image_id "$tag")
  local base=db4sci-dev/base:$suite dirs=(dbconfig prod)
  [ ! -f dev/config.toml ] || dirs+=(dev/config.toml)
  [ ! -d dev/nginx ] || dirs+=(dev/nginx)
  local part; part=$(mktemp -d)
  # Without debug information. `step` turns errexit off, so a failure has to be returned explicitly.
  strip --strip-debug -o "$part/db4sci" "$binary" &&
    tar -c --exclude='ssl/*' --exclude='*.pem' --exclude='*.key' Dockerfile "${dirs[@]}" -C "$part" db4sci |
    docker build --force-rm -t "$tag" --label "$LABEL_IMAGE=true" --build-arg BASE="$base" --build-arg BUILD_BASE="$base" - || rc=$?
  rm -rf "$part"
  [ $rc = 0 ] || return $rc
  # Remove the replaced image and the build stage that held the binary.
  remove_replaced "$old" "$tag"
  docker image ls -q --filter dangling=true --filter label=db4sci.build-stage=true | xargs -r docker image rm || true
}
step "image $tag" build
docker image inspect -f "$tag: {{.Size}} bytes" "$tag" | awk '{ printf "%s %d MB\n", $1, $2 / 1e6 }'
