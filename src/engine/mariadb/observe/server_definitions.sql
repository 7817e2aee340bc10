-- Prints the queries whose results define users, roles and their privileges, except those that every server has.
SELECT CONCAT('SELECT ''account'', ', QUOTE(IF(is_role, User, CONCAT(User, '@', Host))), '; ',
              IF(is_role, '', CONCAT('SHOW CREATE USER ', who, '; ')), 'SHOW GRANTS FOR ', who, ';')
  FROM (SELECT User, Host, CONVERT(is_role USING utf8mb4) COLLATE utf8mb4_bin = 'Y' AS is_role,
               IF(CONVERT(is_role USING utf8mb4) COLLATE utf8mb4_bin = 'N', CONCAT(QUOTE(User), '@', QUOTE(Host)),
                  IF(User = 'PUBLIC', 'PUBLIC', CONCAT('`', REPLACE(User, '`', '``'), '`'))) AS who
          FROM mysql.user
         WHERE User <> @admin AND User NOT LIKE 'db4sci\\_%' AND User <> 'mariadb.sys' AND NOT (User = 'healthcheck' AND Host IN ('127.0.0.1', '::1', 'localhost'))) a
 ORDER BY who;
