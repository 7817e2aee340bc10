# Reports the definition of each object of a database as the server itself writes it. Without --raw the client escapes
# line ends, tabs and backslashes as JSON does. A zero byte, which JSON does not allow, becomes a byte that the text
# does not contain. The location of files is not part of a definition: a restored server keeps them in its data
# directory.
tab=$(printf '\t') backslash=$(printf '\001') zero=$(printf '\002')
answers() { # QUESTIONS
  asked=$(printf '%s\n' "$DB4SCI_SET" "$1" | client --raw) || return
  { printf '%s\n' "$asked" | client && echo end; } | tr -d '\001-\010\013-\037' | sed -e "s/\\\\\\\\/$backslash/g" -e "s/\\\\0/$zero/g" -e "s/$backslash/\\\\\\\\/g" -e 's/"/\\"/g' -e 's/ AUTO_INCREMENT=[0-9]*//' -e "s/ \(DATA\|INDEX\) DIRECTORY *= *'[^']*'//g"
}
ended() { # LAST LINE
  [ "$1" = end ] || { echo 'The server did not say all that is defined in it.' >&2; return 1; }
}
# A text that is longer than the portal reads in one line is compared by its checksum.
definition() { # DATABASE KIND NAME TEXT
  if [ "${#4}" -gt 200000 ]; then
    set -- "$1" "$2" "$3" "${#4} characters, SHA-256 $(printf '%s' "$4" | sha256sum | cut -c 1-64)"
  fi
  printf 'db4sci: {"definition":{"database":"%s","kind":"%s","name":"%s","text":"%s"}}\n' "$@"
}
define_database() { # QUESTIONS
  answers "$1" | { about=''; while IFS= read -r about && IFS= read -r row; do
    kind=${about%%"$tab"*} database=${about#*"$tab"} name=${row%%"$tab"*} row=${row#*"$tab"}
    case $kind in
      # The effect of a routine, trigger or event depends on its sql_mode, and that of an event also on its time zone.
      package* | procedure | function | trigger) mode=${row%%"$tab"*} row=${row#*"$tab"}; text="$mode ${row%%"$tab"*}" ;;
      event) mode=${row%%"$tab"*} row=${row#*"$tab"}; zone=${row%%"$tab"*} row=${row#*"$tab"}; text="$mode $zone ${row%%"$tab"*}" ;;
      *) text=${row%%"$tab"*} ;;
    esac
    # mariadb-dump truncates its text there, mostly within quotes, so a reader takes the rest of the dump for a string.
    case $text in *"$zero"*)
      printf 'The %s %s.%s has a zero byte in its text, which a dump cannot contain. Create it again without that byte.\n' "$kind" "$database" "$name" >&2
      return 1 ;;
    esac
    definition "$database" "$kind" "$name" "$text"
  done; ended "$about"; }
}
# An account can have any number of grants, so a line that names the account precedes them.
define_server() { # QUESTIONS
  answers "$1" | { while IFS= read -r row && [ "$row" != end ]; do
    case $row in
      "account$tab"*) name=${row#*"$tab"} ;;
      'CREATE '*) definition '' user "$name" "$row" ;;
      *) definition '' 'rights of' "$name" "$row" ;;
    esac
  done; ended "$row"; }
}
