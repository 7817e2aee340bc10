-- Prints the questions whose answers are the statements; roles before those who have them.
SET SESSION sql_mode = '', sql_quote_show_create = 1;
SET NAMES utf8mb4;
SELECT 'SET SESSION sql_mode = '''', sql_quote_show_create = 1;';
SELECT question FROM (
  SELECT 1 AS step, User, Host, CONCAT('SELECT CONCAT(''DROP ROLE IF EXISTS '', ', QUOTE(name), '); SELECT CONCAT(''CREATE ROLE '', ', QUOTE(name), ');') AS question
    FROM (SELECT User, Host, CONCAT('`', REPLACE(User, '`', '``'), '`') AS name FROM mysql.user WHERE is_role = 'Y' AND User <> 'PUBLIC') r
  UNION ALL
  SELECT 2, User, Host, CONCAT('SELECT CONCAT(''DROP USER IF EXISTS '', ', QUOTE(name), '); SHOW CREATE USER ', name, ';')
    FROM (SELECT User, Host, CONCAT(QUOTE(User), '@', QUOTE(Host)) AS name FROM mysql.user WHERE is_role = 'N') u
  UNION ALL
  SELECT 3, User, Host, CONCAT('SHOW GRANTS FOR ', IF(User = 'PUBLIC', 'PUBLIC', CONCAT('`', REPLACE(User, '`', '``'), '`')), ';') FROM mysql.user WHERE is_role = 'Y'
  UNION ALL
  SELECT 4, User, Host, CONCAT('SHOW GRANTS FOR ', QUOTE(User), '@', QUOTE(Host), ';') FROM mysql.user WHERE is_role = 'N') q
 WHERE User <> SUBSTRING_INDEX(USER(), '@', 1) AND User <> 'mariadb.sys' AND NOT (User = 'healthcheck' AND Host IN ('127.0.0.1', '::1', 'localhost'))
 ORDER BY step, User, Host;
