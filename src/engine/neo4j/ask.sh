# Sends requests to the server's own HTTP interface inside the container and prints the body of each answer on one line.
# Standard input contains one request per line: a path, a tab, a JSON body. The requests run as the portal's own user.
# Before that user exists (DB4SCI_FRESH), they first run as the user that the image creates, with the password that the
# portal gave it, because the server's log records every attempt with a missing user or a wrong password. Fails on any
# answer that is not a success. DB4SCI_VALUE=1 prints only the first value of each answer. With DB4SCI_OWN_PASSWORD, the
# first request creates the portal's own user with that password, and the others run as that user; a note in the
# container says that the user exists from then on.
set -u
MADE=/tmp/db4sci-made
[ ! -e "$MADE" ] || DB4SCI_FRESH=
export LC_ALL=C
send() { # USER PATH BODY: sets status and answer
  local token raw
  token=$(printf '%s:%s' "$1" "$DB4SCI_ADMIN_PASSWORD" | base64 -w 0)
  exec 3<>/dev/tcp/127.0.0.1/7474 || exit 1
  printf 'POST %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s' \
    "$2" "$token" "${#3}" "$3" >&3
  raw=$(cat <&3)
  exec 3>&-
  status=${raw#* }; status=${status%% *}
  answer=${raw#*$'\r\n\r\n'}
}
while IFS=$'\t' read -r path body; do
  if [ -n "$DB4SCI_FRESH" ]; then send neo4j "$path" "$body"; else send "$DB4SCI_ADMIN" "$path" "$body"; fi
  # 429: someone has tried a wrong password three times, in a server that still has an older configuration. The lock
  # ends after five seconds.
  for ((tries = 0; tries < 300; tries++)); do
    [ "$status" = 429 ] || break
    sleep 0.05
    if [ -n "$DB4SCI_FRESH" ]; then send neo4j "$path" "$body"; else send "$DB4SCI_ADMIN" "$path" "$body"; fi
  done
  # 401: the owner's password is set already, by an earlier attempt that was interrupted.
  case $status in 401 | 429) [ -z "$DB4SCI_FRESH" ] || send "$DB4SCI_ADMIN" "$path" "$body" ;; esac
  [ "$status" != 401 ] || {
    printf "The portal's user cannot sign in to this server: someone removed the user or changed its password. Restart the database and the portal recreates the user.\n" >&2
    exit 1
  }
  case $status in 200 | 201 | 202) ;; *) printf 'HTTP %s: %s\n' "$status" "$answer" >&2; exit 1 ;; esac
  # A quotation mark inside a value is escaped, so this text can only be the answer's own.
  case $answer in
    # Set already, by an earlier attempt that was interrupted.
    *'Old password and new password cannot be the same'*) ;;
    *'"errors":[{'*) printf '%s\n' "${answer#*\"errors\":}" >&2; exit 1 ;;
  esac
  if [ -n "${DB4SCI_VALUE:-}" ]; then
    answer=${answer#*\"row\":[}; answer=${answer%%]*}; answer=${answer#\"}; answer=${answer%\"}
  fi
  printf '%s\n' "${answer//[$'\r\n']/ }"
  [ -z "${DB4SCI_OWN_PASSWORD:-}" ] || DB4SCI_FRESH='' DB4SCI_ADMIN_PASSWORD=$DB4SCI_OWN_PASSWORD
done
# Without the note, the only effect is one more line in the log.
[ -z "${DB4SCI_OWN_PASSWORD:-}" ] || { : >"$MADE"; } 2>/dev/null || true
