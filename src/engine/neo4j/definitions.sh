# Reports what is defined in the graph (DB4SCI_COUNTED) or, if none is named, in the whole server: its users.
if [ -z "$DB4SCI_COUNTED" ]; then
  rows defined system "SHOW USERS YIELD user, passwordChangeRequired AS must WHERE user <> '$DB4SCI_ADMIN' RETURN 'user', user, CASE must WHEN true THEN 'must change the password' ELSE '' END ORDER BY user"
else
  rows defined neo4j "SHOW CONSTRAINTS YIELD name, createStatement AS text RETURN 'constraint', name, text ORDER BY name"
  rows defined neo4j "SHOW INDEXES YIELD name, owningConstraint AS by, createStatement AS text WHERE by IS NULL RETURN 'index', name, text ORDER BY name"
fi
