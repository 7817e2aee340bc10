# Common to the scripts that ask the server about what is in it. Each prints what the server answered as the server wrote
# it; the portal reads it as JSON.
set -u
export LC_ALL=C
token=$(printf '%s:%s' "$DB4SCI_ADMIN" "$DB4SCI_ADMIN_PASSWORD" | base64 -w 0)
ask() { # DATABASE STATEMENT: the answer's body
  local body
  body=$(printf '{"statements":[{"statement":"%s"}]}' "$2")
  exec 3<>/dev/tcp/127.0.0.1/7474 || exit 1
  printf 'POST /db/%s/tx/commit HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "$token" "${#body}" "$body" >&3
  cat <&3
  exec 3>&-
}
whole() { # the end of an answer: nothing went wrong until then
  case $1 in *'"errors":[]'*) ;; *) printf 'The server did not answer: %s\n' "$1" >&2; exit 1 ;; esac
}
rows() { # WORD DATABASE STATEMENT: each row of the answer is reported under this word
  local answer
  answer=$(ask "$2" "$3")
  whole "$answer"
  # Between two rows, and nowhere in a name: a quotation mark of a name has a backslash before it.
  printf '%s\n' "${answer#*\"data\":[}" | sed -e 's/},{"row":\[/}\n{"row":[/g' -e 's/\(}\)\]}\],"errors":\[\].*$/\1/' |
    sed -n -e "s/^{\"row\":\[.*}$/db4sci: {\"$1\":&}/p"
}
