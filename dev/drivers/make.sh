#!/usr/bin/env bash
# make.sh: installs the drivers for Python and Java with which tests run the pages' snippets, and the checker of
# accessibility, in $VAR/tools/drivers. Installs them once, and again when this folder changes. Prints nothing if they are up to date.
. "$(dirname "$0")/../lib.sh"
HERE=$ROOT/dev/drivers
AT=$VAR/tools/drivers
AXE=4.14.1
want=$(cat "$HERE/make.sh" "$HERE/requirements.txt" "$HERE/pom.xml" | sha256sum | cut -c1-64)
[ "$(cat "$AT/made-from" 2>/dev/null)" != "$want" ] || exit 0

make_python() {
  /usr/bin/python3 -m venv --system-site-packages "$AT/python"
  "$AT/python/bin/pip" install --quiet --requirement "$HERE/requirements.txt"
}
make_jars() {
  mvn --batch-mode --quiet --file "$HERE/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$AT/jars"
}
make_axe() {
  cd "$AT"
  npm pack --silent "axe-core@$AXE"
  tar -xzf "axe-core-$AXE.tgz" --strip-components=1 package/axe.min.js
  rm "axe-core-$AXE.tgz"
}
rm -rf "$AT"; mkdir -p "$AT"
step "drivers for Python" make_python
step "drivers for Java" make_jars
step "checker of accessibility" make_axe
printf '%s\n' "$want" >"$AT/made-from"
