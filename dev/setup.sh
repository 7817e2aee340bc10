#!/usr/bin/env bash
# setup.sh [GROUP…]: all that a portal needs on this machine, in order; nothing that is there already is done again.
. "$(dirname "$0")/lib.sh"
mkdir -p "$LOGS"
"$ROOT/dev/packages.sh" build rust "$@"
"$ROOT/dev/engine.sh"
"$ROOT/dev/images/build.sh"
