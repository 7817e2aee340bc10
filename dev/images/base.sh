#!/usr/bin/env bash
# base.sh SUITE TAG CONTENT: a minimal Debian as an image, by debootstrap from the mirror this machine's apt uses.
. "$(dirname "$0")/../lib.sh"
suite=$1 tag=$2 content=$3

# The mirror: the machine's own, or DB4SCI_DEBIAN_MIRROR (needed where the machine is not a Debian).
targets=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
mirror=${DB4SCI_DEBIAN_MIRROR:-$(sed -n 's/^Debian|//p' <<<"$targets" | head -n1)}
security=$(sed -n 's/^Debian-Security|//p' <<<"$targets" | head -n1)
[ -n "$mirror" ] || die "no Debian mirror in this machine's apt settings: set DB4SCI_DEBIAN_MIRROR to one."
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
[ -z "${http_proxy:-}" ] || export http_proxy

work=$(mktemp -d /var/tmp/db4sci-base.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -p "$work/root"

debootstrap --variant=minbase --keyring="$keyring" "$suite" "$work/root" "$mirror"

cd "$work/root"
{
  echo "deb [signed-by=$keyring] $mirror $suite main"
  echo "deb [signed-by=$keyring] $mirror $suite-updates main"
  [ -z "$security" ] || echo "deb [signed-by=$keyring] $security $suite-security main"
} >etc/apt/sources.list
cat >etc/apt/apt.conf.d/90small <<'CONF'
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::AutoRemove::SuggestsImportant "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
CONF
# no manuals and translations; licences (copyright files) stay
cat >etc/dpkg/dpkg.cfg.d/90small <<'CONF'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
CONF
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d; chmod 755 usr/sbin/policy-rc.d
find usr/share/doc -mindepth 2 ! -type d ! -name copyright -delete
find usr/share/locale -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf {} +
rm -rf usr/share/man/?? usr/share/man/??_* usr/share/info/* var/lib/apt/lists/* var/cache/apt/*.bin var/cache/apt/archives/*.deb \
       var/log/* etc/hostname etc/resolv.conf tmp/*

tar -c --numeric-owner --one-file-system . | docker import \
  --change 'CMD ["/bin/bash"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change "LABEL $LABEL_IMAGE=true" --change "LABEL $LABEL_CONTENT=$content" - "$tag"
