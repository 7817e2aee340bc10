#!/usr/bin/env bash
# screenshots.sh: updates the screenshots in docs/ from a portal started for this.
. "$(dirname "$0")/lib.sh"
exec "$ROOT/dev/test.sh" --test main screenshots -- --ignored --nocapture
