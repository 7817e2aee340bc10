#!/usr/bin/env bash
# bench.sh [ARGUMENT…]: measures against the bars, and prints ratios. Arguments go to cargo bench.
BENCH=1 exec "$(dirname "$0")/test.sh" "$@"
