#!/usr/bin/env bash
# make.sh: installs the drivers for Python and Java with which tests run the pages' snippets, in $VAR/tools/drivers.
# Installs them once, and again when this folder changes. Prints nothing if they are up to date.
. "$(dirname "$0")/../lib.sh"
HERE=$ROOT/dev/drivers
AT=$VAR/tools/drivers
want=$(cat "$HERE/make.sh" "$HERE/requirements.txt" "$HERE/pom.xml" | sha256sum | cut -c1-64)
[ "$(cat "$AT/made-from" 2>/dev/null)" != "$want" ] || exit 0

make_python() {
  /usr/bin/python3 -m venv --system-site-packages "$AT/python"
  "$AT/python/bin/pip" install --quiet --requirement "$HERE/requirements.txt"
}
make_jars() {
  mvn --batch-mode --quiet --file "$HERE/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$AT/jars"
}
rm -rf "$AT"; mkdir -p "$AT"
step "drivers for Python" make_python
step "drivers for Java" make_jars
printf '%s\n' "$want" >"$AT/made-from"
