#!/usr/bin/env bash
# nginx.sh: Debian's nginx in var/tools/nginx, for the test of prod/nginx/. It is unpacked and not installed, because an
# installed one starts and takes the ports 80 and 443. Prints nothing if it is there.
. "$(dirname "$0")/lib.sh"
AT=$VAR/tools/nginx
[ ! -x "$AT/usr/sbin/nginx" ] || exit 0

fetch() {
  rm -rf "$AT" "$AT.new"; mkdir -p "$AT.new"
  cd "$AT.new"
  apt-get -q download nginx || { as_root apt-get -q update; apt-get -q download nginx; }
  dpkg-deb -x nginx_*.deb .
  rm nginx_*.deb
  mv "$AT.new" "$AT"
}
step "nginx" fetch
