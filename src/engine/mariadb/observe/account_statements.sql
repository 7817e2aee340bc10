-- Prints the queries whose results are the statements; roles come before their members. The collation is explicit
-- because the collation of the view differs between servers.
CREATE TEMPORARY TABLE mysql.db4sci_account ENGINE = Aria
  SELECT User AS user, Host AS host, CONVERT(is_role USING utf8mb4) COLLATE utf8mb4_bin = 'Y' AS is_role,
         CAST(IF(CONVERT(is_role USING utf8mb4) COLLATE utf8mb4_bin = 'N', CONCAT(QUOTE(User), '@', QUOTE(Host)),
                 IF(User = 'PUBLIC', 'PUBLIC', CONCAT('`', REPLACE(User, '`', '``'), '`'))) AS CHAR(1000)) AS name
    FROM mysql.user
   WHERE User <> @admin AND User NOT LIKE 'db4sci\\_%' AND User <> 'mariadb.sys' AND NOT (User = 'healthcheck' AND Host IN ('127.0.0.1', '::1', 'localhost'));
SELECT CONCAT('SELECT CONCAT(\'DROP ROLE IF EXISTS \', ', QUOTE(name), '); SELECT CONCAT(\'CREATE ROLE \', ', QUOTE(name), ');')
  FROM mysql.db4sci_account WHERE is_role AND name <> 'PUBLIC' ORDER BY name;
SELECT CONCAT('SELECT CONCAT(\'DROP USER IF EXISTS \', ', QUOTE(name), '); SHOW CREATE USER ', name, ';')
  FROM mysql.db4sci_account WHERE NOT is_role ORDER BY name;
SELECT CONCAT('SHOW GRANTS FOR ', name, ';') FROM mysql.db4sci_account ORDER BY is_role DESC, name;
