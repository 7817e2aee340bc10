#!/usr/bin/env bash
# fetch.sh DIRECTORY VERSION: the jars of Neo4j Community and of cypher-shell from Maven's central repository into
# DIRECTORY/lib and DIRECTORY/shell, with Maven, on the machine that builds; DIRECTORY/version says which exactly.
set -euo pipefail
dir=$1 here=$(cd "$(dirname "$0")" && pwd -P)

# The newest patch there is; a newer one is a change here, so that the image is the same wherever it is built.
case $2 in
  5.26) version=5.26.30 ;;
  *) echo "fetch.sh: no patch version is known for Neo4j $2" >&2; exit 1 ;;
esac
command -v mvn >/dev/null || { echo "fetch.sh: mvn is missing (Debian package maven)" >&2; exit 1; }

# The plugin's version is fixed: an old Maven would take one that differs in what it copies.
copy() { # PROFILE DIRECTORY
  mvn -B -q -f "$here/pom.xml" -P "$1" -Dneo4j.version="$version" -DincludeScope=runtime -DoutputDirectory="$2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies
}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
rm -rf "${dir:?}/lib" "${dir:?}/shell"
copy server "$dir/lib"
copy shell "$dir/shell"
rm -f "$dir"/lib/*-osx-*.jar "$dir"/shell/*-osx-*.jar    # no use in a container
echo "$version" >"$dir/version"
