-- Removes the empty databases that were created with the roles of a backup and are not wanted.
\getenv others DB4SCI_OTHERS
\getenv own DB4SCI_OWN
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', name)
  FROM json_array_elements_text(:'others'::json) AS name WHERE name NOT IN (:'own', 'postgres') \gexec
