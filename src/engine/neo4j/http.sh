# Shared by the scripts that query the server's content. Each prints the server's answer unchanged; the portal reads it
# as JSON.
set -u
export LC_ALL=C
token=$(printf '%s:%s' "$DB4SCI_ADMIN" "$DB4SCI_ADMIN_PASSWORD" | base64 -w 0)
ask() { # DATABASE STATEMENT [PARAMETERS]: the answer's body
  local body
  body=$(printf '{"statements":[{"statement":"%s"%s}]}' "$2" "${3:+,\"parameters\":$3}")
  exec 3<>/dev/tcp/127.0.0.1/7474 || exit 1
  printf 'POST /db/%s/tx/commit HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "$token" "${#body}" "$body" >&3
  cat <&3
  exec 3>&-
}
whole() { # END: fails unless the end of an answer shows that it is complete and without errors
  case $1 in *'"errors":[]'*) ;; *) printf 'The server did not answer: %s\n' "$1" >&2; exit 1 ;; esac
}
rows() { # WORD DATABASE STATEMENT: reports each row of the answer under this word
  local answer
  answer=$(ask "$2" "$3")
  whole "$answer"
  # This text occurs between two rows and never in a name, where a quotation mark is escaped by a backslash.
  printf '%s\n' "${answer#*\"data\":[}" | sed -e 's/},{"row":\[/}\n{"row":[/g' -e 's/\(}\)\]}\],"errors":\[\].*$/\1/' |
    sed -n -e "s/^{\"row\":\[.*}$/db4sci: {\"$1\":&}/p"
}
