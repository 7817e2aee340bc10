-- Prints JSON lines: the server, then the largest tables of each database. Read-only and bounded in time.
SET SESSION max_statement_time = 5, lock_wait_timeout = 1;
SELECT JSON_OBJECT(
    'version', SUBSTRING_INDEX(VERSION(), '-', 1),
    'uptime_seconds', (SELECT CAST(VARIABLE_VALUE AS INTEGER) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'),
    'connections', (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND <> 'Daemon'),
    'connections_max', @@max_connections,
    -- A ratio over a few reads would be meaningless.
    'cache_hit', (SELECT IF(q.VARIABLE_VALUE >= 1000, 1 - r.VARIABLE_VALUE / q.VARIABLE_VALUE, NULL)
                    FROM information_schema.GLOBAL_STATUS r JOIN information_schema.GLOBAL_STATUS q
                   WHERE r.VARIABLE_NAME = 'INNODB_BUFFER_POOL_READS' AND q.VARIABLE_NAME = 'INNODB_BUFFER_POOL_READ_REQUESTS'),
    -- The collation is explicit because the collation of the view differs between servers.
    'roles', (SELECT COALESCE(JSON_ARRAYAGG(JSON_OBJECT(
                       'name', CONCAT(User, '@', Host),
                       'admin', IF(CONVERT(Super_priv USING utf8mb4) COLLATE utf8mb4_bin = 'Y', JSON_COMPACT('true'), JSON_COMPACT('false'))) ORDER BY User, Host), JSON_ARRAY())
                FROM mysql.user
               WHERE User <> 'mariadb.sys' AND User NOT LIKE 'db4sci\\_%' AND NOT (User = 'healthcheck' AND Host IN ('127.0.0.1', '::1', 'localhost')) AND CONVERT(is_role USING utf8mb4) COLLATE utf8mb4_bin = 'N'),
    'databases', (SELECT COALESCE(JSON_ARRAYAGG(JSON_OBJECT('name', s.SCHEMA_NAME, 'bytes', CAST(COALESCE(t.bytes, 0) AS INTEGER)) ORDER BY s.SCHEMA_NAME), JSON_ARRAY())
                    FROM information_schema.SCHEMATA s
                    LEFT JOIN (SELECT TABLE_SCHEMA, SUM(DATA_LENGTH + INDEX_LENGTH) AS bytes
                                 FROM information_schema.TABLES GROUP BY TABLE_SCHEMA) t ON t.TABLE_SCHEMA = s.SCHEMA_NAME
                   WHERE s.SCHEMA_NAME NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')));
SELECT JSON_OBJECT('database', TABLE_SCHEMA, 'objects', JSON_ARRAYAGG(JSON_OBJECT(
           'name', TABLE_NAME,
           'kind', IF(TABLE_TYPE = 'VIEW', 'view', 'table'),
           'rows', TABLE_ROWS,
           'exact', JSON_COMPACT('false'),
           'bytes', DATA_LENGTH + INDEX_LENGTH) ORDER BY bytes_all DESC, TABLE_NAME))
  FROM (SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_ROWS, DATA_LENGTH, INDEX_LENGTH,
               COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) AS bytes_all,
               ROW_NUMBER() OVER (PARTITION BY TABLE_SCHEMA ORDER BY COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) DESC, TABLE_NAME) AS n
          FROM information_schema.TABLES
         WHERE TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')) t
 WHERE n <= 200
 GROUP BY TABLE_SCHEMA ORDER BY TABLE_SCHEMA LIMIT 50;
