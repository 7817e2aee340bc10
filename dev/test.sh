#!/usr/bin/env bash
# test.sh [ARGUMENT…]: runs all tests, after installing what they need; arguments go to cargo test. Cleans up even after
# a failure. QUICK=1 leaves out the tests marked as long. BENCH=1 runs the benchmarks in the same environment.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin:/usr/sbin:/sbin
cd "$ROOT"

"$ROOT/dev/setup.sh" test check
# one run per checkout at a time: the sweep removes every test portal of the checkout
exec 9>"$VAR/test.lock"
flock -n 9 || die "another 'make test' or 'make bench' of this checkout is running."
"$ROOT/dev/sweep.sh" test
OUTPUT=$LOGS/test-output.log
mkdir -p "$LOGS"
: >"$OUTPUT"
trap '"$ROOT/dev/sweep.sh" test || :; failures' EXIT
trap 'exit 130' INT TERM HUP

# run_tests ARGUMENT…: cargo test, whose output is also kept.
run_tests() { cargo test --locked "$@" 2>&1 9>&- | tee -a "$OUTPUT" 9>&-; }

# Why each failed test failed, in the last lines of a run: of a long output, some readers keep only the end.
failures() {
  awk '
    /^---- .* stdout ----$/ { test = $2; next }
    /^failures:$/ || /^test result: / { test = "" }
    test == "" { next }
    /panicked at / { if (!(test in seen)) { seen[test] = 1; print "\nFAILED " test }; rest = 12 }
    /^note: run with/ || /^stack backtrace:/ { rest = 0 }
    rest > 0 { print "  " substr($0, 1, 1000); rest-- }
  ' "$OUTPUT"
}

# Tests create and remove tens of thousands of small files, so they get their own disk, which is discarded at once:
# an XFS image that cannot share blocks, like most disks. If it cannot be mounted, they use the disk of the checkout.
own_disk() {
  truncate -s 40G "$VAR/test.img" && mkfs.xfs -q -f -m reflink=0 "$VAR/test.img" && mkdir -p "$VAR/test" \
    && as_root mount -o loop,noatime "$VAR/test.img" "$VAR/test" && as_root chown "$(id -u):$(id -g)" "$VAR/test"
}
if [ -z "${BENCH:-}" ] && "$ROOT/dev/packages.sh" cow; then
  own_disk 2>/dev/null || say "test files are on the disk of the checkout, because no other disk could be mounted"
  export DB4SCI_COW_IMAGE=$VAR/test-cow.img
fi
DB4SCI_COW_SIZE=${BENCH:+24G} "$ROOT/dev/cow.sh" up "$VAR/test"

# File systems that this kernel does not have: their tests are left out, and fail if this is not said here.
without=()
for kind in btrfs ext4 xfs; do
  grep -qw "$kind" /proc/filesystems || as_root modprobe "$kind" 2>/dev/null || without+=("$kind")
done
[ ${#without[@]} = 0 ] || say "left out: the tests of data on ${without[*]}, which this kernel does not have"
export DB4SCI_TEST_WITHOUT=${without[*]}

# A message says where its test failed; traces would push the other messages out of a limited output.
export RUST_BACKTRACE=${DB4SCI_TEST_BACKTRACE:-0}

# What the tests read: their directory (each portal has its own below it), the prefix of their instance names, and the
# tier that can share blocks (unset if there is none).
export DB4SCI_TEST=1 DB4SCI_TEST_PREFIX=$TEST_PREFIX DB4SCI_TEST_DIR=$VAR/test
[ -e "$VAR/test/tiers/cow.unavailable" ] || export DB4SCI_TEST_COW=$VAR/test/tiers/cow

# Each image built here is checked once; two in parallel, because the checks wait more than they compute.
check_images() {
  local n id folder left=() jobs=() rc=0 j
  for n in postgres:17 postgres:15 mariadb:11.8 mariadb:10.11 mongodb:6.0 neo4j:5.26; do
    folder=${n%%:*}
    id=$(docker image inspect -f "{{if index .Config.Labels \"$LABEL_CONTENT\"}}{{.Id}}{{end}}" "db4sci-dev/$n")
    id+=$(cat "$ROOT/dev/images/check-lib.sh" "$ROOT/dev/images/check-$folder.sh" | sha256sum)
    grep -qxF "$id" "$VAR/images.checked" 2>/dev/null || left+=("$n|$id")
  done
  check_some() { # EVERY-SECOND-FROM
    local i n id
    for ((i = $1; i < ${#left[@]}; i += 2)); do
      n=${left[i]%%|*} id=${left[i]#*|}
      STEP_PARALLEL=1 step "image $n: checking" "$ROOT/dev/images/check-${n%%:*}.sh" "db4sci-dev/$n" || return
      printf '%s\n' "$id" >>"$VAR/images.checked"
    done
  }
  check_some 0 9>&- & jobs+=($!)
  check_some 1 9>&- & jobs+=($!)
  for j in "${jobs[@]}"; do wait "$j" || rc=$?; done
  return $rc
}

if [ -n "${BENCH:-}" ]; then
  unset ZSTD_SYS_USE_PKG_CONFIG
  step "building the benches" cargo bench --locked --no-run 9>&-
  cargo bench --locked "$@" 9>&-
else
  # In parallel with the compiler: both wait most of the time.
  { check_images && STEP_PARALLEL=1 "$ROOT/dev/drivers/make.sh" && STEP_PARALLEL=1 "$ROOT/dev/nginx.sh"; } 9>&- & checks=$!
  rc=0
  STEP_PARALLEL=1 step "building the tests" cargo test --locked --lib --tests --no-run 9>&- || rc=$?
  wait "$checks" || rc=$?
  [ $rc = 0 ] || exit $rc
  if [ $# -gt 0 ]; then
    run_tests --lib --tests "$@"
  else
    # Two ignored tests run only by name: one makes pictures and checks nothing, the other takes half an hour.
    long=(--include-ignored --skip screenshots::screenshots --skip storage::trees::ten_million_entries)
    [ -z "${QUICK:-}" ] || long=()
    # Browser tests run alone: the browser drops its connections whenever a container starts on the machine, and other
    # tests start containers all the time.
    rc=0
    # More threads than processors: the tests mostly wait for servers.
    run_tests --lib --tests -- "${long[@]}" --skip browser:: --test-threads="$(($(nproc) * 2))" || rc=1
    run_tests --test main -- "${long[@]}" browser:: --test-threads=1 || rc=1
    exit $rc
  fi
fi
