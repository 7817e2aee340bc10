#!/usr/bin/env bash
# cow.sh up|down DIRECTORY: DIRECTORY/cow.img, a sparse XFS file that can share blocks between copies (reflink),
# mounted at DIRECTORY/tiers/cow; DB4SCI_COW_IMAGE sets another path for the file. If this is not possible,
# DIRECTORY/tiers/cow.unavailable contains the reason, and the script still succeeds.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
SIZE=${DB4SCI_COW_SIZE:-8G}   # sparse: uses only the space that is written
[ $# = 2 ] || die "usage: cow.sh up|down DIRECTORY"
mkdir -p "$2/tiers"
dir=$(cd "$2" && pwd -P); img=${DB4SCI_COW_IMAGE:-$dir/cow.img} at=$dir/tiers/cow why=$dir/tiers/cow.unavailable

unavailable() {
  printf '%s\n' "$1" >"$why"
  say "no copy-on-write tier: $1"
  exit 0
}

# Runs the command. If it fails, the last line of its output becomes the reason.
try() {
  local out
  out=$("$@" 2>&1) || unavailable "'$1' failed: $(tail -n1 <<<"$out")"
}

up() {
  if mountpoint -q "$at"; then rm -f "$why"; return; fi
  local start=$EPOCHREALTIME
  "$ROOT/dev/packages.sh" cow || unavailable "the package xfsprogs could not be installed"
  mkdir -p "$at"
  if [ ! -s "$img" ]; then
    rm -f "$img.new"
    try truncate -s "$SIZE" "$img.new"
    try mkfs.xfs -q -f -m reflink=1 "$img.new"
    mv "$img.new" "$img"
  fi
  [ -e /dev/loop-control ] || as_root modprobe loop 2>/dev/null || true
  try as_root mount -o loop,noatime "$img" "$at"
  [ -O "$at" ] || as_root chown "$(id -u):$(id -g)" "$at"
  # proof that two files can share their blocks
  if ! { printf probe >"$at/.probe" && cp --reflink=always "$at/.probe" "$at/.probe2"; } 2>/dev/null; then
    as_root umount -d "$at"
    unavailable "files on this kernel's XFS can't share blocks"
  fi
  rm -f "$at/.probe" "$at/.probe2" "$why"
  printf '%-58s%6s s\n' "copy-on-write tier ${at#"$ROOT"/}" "$(seconds_since "$start")"
}

down() {
  # -d frees the loop device even if another mount of it is left behind
  ! mountpoint -q "$at" || as_root umount -d "$at"
}

case $1 in up) up ;; down) down ;; *) die "usage: cow.sh up|down DIRECTORY" ;; esac
