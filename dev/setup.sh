#!/usr/bin/env bash
# setup.sh [GROUP…]: prepares this machine for a portal, in order; skips whatever is done already.
. "$(dirname "$0")/lib.sh"
mkdir -p "$LOGS"
"$ROOT/dev/packages.sh" build rust "$@"
"$ROOT/dev/engine.sh"
"$ROOT/dev/images/build.sh"
