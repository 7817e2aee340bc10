#!/usr/bin/env bash
# clean.sh: removes what this checkout made, its databases included, so it asks first (YES=1 answers). Images stay
# unless IMAGES=1: other checkouts use them too.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

say "This removes, for good:"
if engine_answers; then
  docker ps -a --filter "label=$LABEL_INSTANCE=$INSTANCE" --format '{{"  "}}container {{.Names}} ({{.Status}})'
else
  say "  (no container engine answers: containers of $INSTANCE, if there are any, stay)"
fi
[ ! -d "$VAR" ] || say "  $VAR ($(as_root du -sh --one-file-system "$VAR" 2>/dev/null | cut -f1)): the data of the development databases, backups, logs"
[ ! -d "$ROOT/target" ] || say "  $ROOT/target: what cargo built"
if [ "${YES:-}" != 1 ]; then
  [ -t 0 ] || die "not removed: nobody there to ask. YES=1 make clean answers yes."
  read -r -p "Type yes to remove all that: " answer
  [ "$answer" = yes ] || die "nothing removed."
fi

"$ROOT/dev/down.sh"
step "containers and networks" "$ROOT/dev/sweep.sh" test "$INSTANCE"
remove_var() {
  "$ROOT/dev/cow.sh" down "$VAR/dev"
  ! grep -F " $VAR/" /proc/self/mountinfo || die "these mounts are left under $VAR; nothing there was removed."
  as_root rm -rf --one-file-system "$VAR.removed"; mv "$VAR" "$VAR.removed"; as_root rm -rf --one-file-system "$VAR.removed"
}
remove_images() { docker image ls -q --filter "label=$LABEL_IMAGE=true" | sort -u | xargs -r docker image rm -f; }
[ "${IMAGES:-}" != 1 ] || step "images" remove_images
# the log of this last step would lie in what it removes
remove_var
rm -rf "$ROOT/target"
say "clean."
