# Puts one database back, in the owner's session. The first error ends it. What keeps none of the rules that came later was
# there all the same.
DB4SCI_SETTINGS="$DB4SCI_SETTINGS, foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0"
client
