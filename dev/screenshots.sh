#!/usr/bin/env bash
# screenshots.sh: makes the pictures in docs/ from a portal that runs for it.
. "$(dirname "$0")/lib.sh"
exec "$ROOT/dev/test.sh" --test main screenshots -- --ignored --nocapture
