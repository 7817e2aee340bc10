# Puts one database back. An earlier attempt may have left a part of it, so it is made anew. The first error ends it.
set -eu
umask 077
was=$(client --raw -e "$DB4SCI_SET SET @drop = CONCAT('DROP DATABASE IF EXISTS \`', REPLACE(@database, '\`', '\`\`'), '\`'); EXECUTE IMMEDIATE @drop; SELECT @@GLOBAL.max_allowed_packet; SET GLOBAL max_allowed_packet = 1073741824")
trap 'client -e "SET GLOBAL max_allowed_packet = $was"' EXIT
# What keeps none of the rules that came later was there all the same.
client --init-command="SET SESSION foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0, max_statement_time = 0"
