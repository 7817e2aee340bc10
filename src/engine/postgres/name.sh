# Quotes a database's name as the value in a connection string, so that no part of it is taken for an option or for
# another connection string.
connection() { printf "dbname='%s'" "$(printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e "s/'/\\\\'/g")"; }
