#!/usr/bin/env bash
# bench.sh [ARGUMENT…]: runs the benchmarks and compares them with the limits. Arguments go to cargo bench.
BENCH=1 exec "$(dirname "$0")/test.sh" "$@"
