# A database's name quoted as a connection string's value, so that no part of it is taken for an option or for another
# string.
connection() { printf "dbname='%s'" "$(printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e "s/'/\\\\'/g")"; }
