-- Reports tables that have exchanged their names since the dump began, as @report. A dump reads tables by name, so it may
-- contain the rows of one twice and those of the other never. It fails by itself on a table that was created in the
-- meantime.
SELECT CONCAT('db4sci: ', JSON_OBJECT(@report, CONCAT('Tables of ', @database, ' exchanged their names while it was dumped: ',
         LEFT(GROUP_CONCAT(CONVERT(CONVERT(CAST(SUBSTRING_INDEX(n.NAME, '/', -1) AS BINARY) USING filename) USING utf8mb4) SEPARATOR ', '), 500), '.')))
  FROM information_schema.INNODB_SYS_TABLES n JOIN mysql.db4sci_named was ON was.name = UNHEX(MD5(n.NAME))
  JOIN mysql.db4sci_named other ON other.id = n.TABLE_ID AND other.name <> was.name
HAVING COUNT(*) > 0;
