#!/usr/bin/env bash
# clean.sh: removes everything this checkout created, including its databases, so it asks first (YES=1 confirms). Images
# stay unless IMAGES=1, because other checkouts use them too.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

say "This permanently deletes:"
if engine_answers; then
  docker ps -a --filter "label=$LABEL_INSTANCE=$INSTANCE" --format '{{"  "}}container {{.Names}} ({{.Status}})'
else
  say "  (the container engine is not running: containers of $INSTANCE, if any, are kept)"
fi
[ ! -d "$VAR" ] || say "  $VAR ($(as_root du -sh --one-file-system "$VAR" 2>/dev/null | cut -f1)): data of the development databases, backups and logs"
[ ! -d "$ROOT/target" ] || say "  $ROOT/target: build output of cargo"
if [ "${YES:-}" != 1 ]; then
  [ -t 0 ] || die "nothing deleted: no terminal to ask for confirmation. Use YES=1 make clean to confirm."
  read -r -p "Type yes to confirm: " answer
  [ "$answer" = yes ] || die "nothing deleted."
fi

"$ROOT/dev/down.sh"
step "containers and networks" "$ROOT/dev/sweep.sh" test "$INSTANCE"
remove_var() {
  "$ROOT/dev/cow.sh" down "$VAR/dev"
  ! grep -F " $VAR/" /proc/self/mountinfo || die "these mounts are still active under $VAR; nothing there was deleted."
  as_root rm -rf --one-file-system "$VAR.removed"; mv "$VAR" "$VAR.removed"; as_root rm -rf --one-file-system "$VAR.removed"
}
remove_images() { docker image ls -q --filter "label=$LABEL_IMAGE=true" | sort -u | xargs -r docker image rm -f; }
[ "${IMAGES:-}" != 1 ] || step "images" remove_images
# not run as a step: its log would be in the directory that it removes
remove_var
rm -rf "$ROOT/target"
say "done."
