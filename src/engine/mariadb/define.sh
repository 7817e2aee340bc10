# Reports what defines a database, object by object, as the server itself writes it. Without --raw the client writes line
# ends, tabs and backslashes as JSON does. A zero byte, which no JSON may have, becomes another that the text has not. Where
# files lie is no definition: a restored server keeps them inside.
tab=$(printf '\t') backslash=$(printf '\001') zero=$(printf '\002')
answers() { # QUESTIONS
  asked=$(printf '%s\n' "$DB4SCI_SET" "$1" | client --raw) || return
  { printf '%s\n' "$asked" | client && echo end; } | tr -d '\001-\010\013-\037' | sed -e "s/\\\\\\\\/$backslash/g" -e "s/\\\\0/$zero/g" -e "s/$backslash/\\\\\\\\/g" -e 's/"/\\"/g' -e 's/ AUTO_INCREMENT=[0-9]*//' -e "s/ \(DATA\|INDEX\) DIRECTORY *= *'[^']*'//g"
}
ended() { # LAST LINE
  [ "$1" = end ] || { echo 'The server did not say all that is defined in it.' >&2; return 1; }
}
definition() { # DATABASE KIND NAME TEXT
  printf 'db4sci: {"definition":{"database":"%s","kind":"%s","name":"%s","text":"%s"}}\n' "$@"
}
define_database() { # QUESTIONS
  answers "$1" | { about=''; while IFS= read -r about && IFS= read -r row; do
    kind=${about%%"$tab"*} database=${about#*"$tab"} name=${row%%"$tab"*} row=${row#*"$tab"}
    case $kind in
      # What a routine, a trigger and an event do depends on their sql_mode, and the time zone on events.
      package* | procedure | function | trigger) mode=${row%%"$tab"*} row=${row#*"$tab"}; text="$mode ${row%%"$tab"*}" ;;
      event) mode=${row%%"$tab"*} row=${row#*"$tab"}; zone=${row%%"$tab"*} row=${row#*"$tab"}; text="$mode $zone ${row%%"$tab"*}" ;;
      *) text=${row%%"$tab"*} ;;
    esac
    # mariadb-dump ends there what it writes, mostly within quotes: whoever reads the dump takes all that follows for text.
    case $text in *"$zero"*)
      printf 'The %s %s.%s has a zero byte in its text, which no dump can hold. Make it anew without.\n' "$kind" "$database" "$name" >&2
      return 1 ;;
    esac
    definition "$database" "$kind" "$name" "$text"
  done; ended "$about"; }
}
# Rights come in any number, so each account has a line before its own.
define_server() { # QUESTIONS
  answers "$1" | { while IFS= read -r row && [ "$row" != end ]; do
    case $row in
      "account$tab"*) name=${row#*"$tab"} ;;
      'CREATE '*) definition '' user "$name" "$row" ;;
      *) definition '' 'rights of' "$name" "$row" ;;
    esac
  done; ended "$row"; }
}
