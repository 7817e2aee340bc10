#!/usr/bin/env bash
# packages.sh GROUP…: installs the Debian packages of these groups that are missing. Prints nothing if none is missing.
. "$(dirname "$0")/lib.sh"

group() {
  case $1 in
    build)  echo build-essential pkg-config libzstd-dev git curl ca-certificates ;;
    engine) if ! engine_answers && ! PATH=$PATH:/usr/sbin:/sbin have dockerd; then echo docker.io; fi ;;
    images) echo debootstrap debian-archive-keyring ;;
    fetch)  echo python3-pip maven default-jdk-headless; have npm || echo nodejs npm ;;
    cow)    echo xfsprogs ;;
    test)   echo btrfs-progs e2fsprogs chromium chromium-driver postgresql-client mariadb-client-core python3 python3-venv python3-psycopg python3-psycopg2 python3-sqlalchemy \
                 r-cran-dbi r-cran-rpostgresql r-cran-rmysql r-cran-httr r-cran-jsonlite libpostgresql-jdbc-java default-jdk-headless maven openssl xz-utils zstd age; have aws || echo awscli; have npm || echo nodejs npm ;;
    check)  echo docker-compose shellcheck ;;
    *)      die "packages.sh: there is no group '$1' (build engine images fetch cow test check rust)" ;;
  esac
}

# Rust comes from rustup, not from Debian: bookworm's is too old.
check_rust() {
  local want have_version
  want=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$ROOT/Cargo.toml" 2>/dev/null | head -n1)
  want=${want:-1.95}
  PATH=$PATH:${HOME:-/root}/.cargo/bin
  have cargo || die "Rust is missing: install rustup (https://rustup.rs), then 'rustup toolchain install $want', and run this again."
  have_version=$(cd "$ROOT" && cargo --version | cut -d' ' -f2)
  [ "$(printf '%s\n' "$want" "${have_version%%-*}" | sort -V | head -n1)" = "$want" ] ||
    die "Rust $have_version is too old, version $want or newer is required: run 'rustup update stable' and try again."
}

wanted=()
for g in "$@"; do
  if [ "$g" = rust ]; then check_rust; continue; fi
  names=$(group "$g") || exit 1
  # shellcheck disable=SC2206
  wanted+=($names)
done
[ ${#wanted[@]} -gt 0 ] || exit 0

have dpkg-query || die "this is not a Debian system; manually install the equivalents of these packages: ${wanted[*]}"
installed=" $(dpkg-query -W -f='${db:Status-Abbrev}${Package} ' "${wanted[@]}" 2>/dev/null | tr -s ' ' || true) "
missing=()
for p in "${wanted[@]}"; do [[ $installed == *" $p "* && $installed == *"ii $p "* ]] || missing+=("$p"); done
[ ${#missing[@]} -gt 0 ] || exit 0

# Installing a package must not start its services where no init system runs: they'd fail, and apt with them.
policy=/usr/sbin/policy-rc.d
install_missing() {
  local made_policy=''
  if [ ! -d /run/systemd/system ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null; as_root chmod 755 $policy; made_policy=1
  fi
  as_root apt-get -q update || echo "apt-get update reported errors; continuing with the existing package lists"
  local rc=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends "${missing[@]}" || rc=$?
  [ -z "$made_policy" ] || as_root rm -f $policy
  return $rc
}
title="packages: ${missing[*]}"
[ ${#title} -le 56 ] || title="packages: ${#missing[@]} missing ($*)"
step "$title" install_missing
